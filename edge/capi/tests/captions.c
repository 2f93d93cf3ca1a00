/*
 * captions BUNDLE PACKETS KEYED IMAGE…: captions images as files and as bytes, prints a line each, and writes their packets to PACKETS and, with a
 * key, to KEYED.
 */
#include "check.h"

static void put(const CssaCaption *caption, const CssaPacket *packet, FILE *file) {
    uint8_t buffer[CSSA_MAX_PACKET];
    size_t length = 0, asked = 0;
    CHECK(cssa_pack(caption, packet, NULL, 0, &asked) == CSSA_STATUS_BUFFER && asked > 0);
    memset(buffer, 0xa5, sizeof buffer);
    CHECK(cssa_pack(caption, packet, buffer, asked - 1, &length) == CSSA_STATUS_BUFFER);
    CHECK(length == asked && buffer[0] == 0xa5 && buffer[asked - 1] == 0xa5);
    CHECK(cssa_pack(caption, packet, buffer, asked, &length) == CSSA_STATUS_OK && length == asked && buffer[asked] == 0xa5);
    CHECK(fwrite(buffer, 1, length, file) == length);
}

int main(int count, char **arguments) {
    CHECK(count > 4);
    CssaOptions options = options_of_test();
    CssaCaptioner *captioner = NULL;
    CHECK(cssa_open(arguments[1], &options, &captioner) == CSSA_STATUS_OK);
    FILE *packets = fopen(arguments[2], "wb"), *keyed = fopen(arguments[3], "wb");
    CHECK(packets != NULL && keyed != NULL);
    fprintf(stderr, "libcssa %s, %s\n", cssa_version(), cssa_runtime(captioner));
    for (int n = 4; n < count; n++) {
        CssaCaption *caption = NULL, *again = NULL;
        CHECK(cssa_caption_file(captioner, arguments[n], &caption) == CSSA_STATUS_OK);
        size_t length = 0;
        uint8_t *bytes = read_file(arguments[n], &length);
        CHECK(cssa_caption_encoded(captioner, bytes, length, &again) == CSSA_STATUS_OK);
        free(bytes);
        CHECK(strcmp(cssa_caption_text(caption), cssa_caption_text(again)) == 0);
        CHECK(cssa_caption_milliseconds(caption) > 0);

        double confidence = 7, familiarity = 7;
        CssaStatus known = cssa_caption_confidence(caption, &confidence);
        CHECK(known == cssa_caption_familiarity(caption, &familiarity));
        CssaOutside outside = cssa_caption_outside(caption);
        if (known == CSSA_STATUS_OK) {
            CHECK(confidence >= 0 && confidence <= 1 && familiarity >= 0 && familiarity <= 1);
            CHECK(outside >= CSSA_OUTSIDE_NO);
            CHECK((outside == CSSA_OUTSIDE_NO) == (cssa_caption_reasons(caption) == 0));
            CHECK(outside == CSSA_OUTSIDE_NO || (cssa_caption_reasons(caption) & 1u << outside) != 0);
        } else {
            CHECK(known == CSSA_STATUS_UNKNOWN && confidence != confidence && familiarity != familiarity);
            CHECK(outside == CSSA_OUTSIDE_UNKNOWN && cssa_caption_reasons(caption) == 0);
        }
        char shown[16] = "none";
        if (known == CSSA_STATUS_OK) snprintf(shown, sizeof shown, "%.3f", confidence);
        printf("%s\t%s\t%s\n", cssa_caption_text(caption), shown, cssa_outside_name(outside));

        CssaPacket packet;
        memset(&packet, 0, sizeof packet);
        packet.size = sizeof packet;
        packet.number = (uint32_t)(n - 4);
        packet.time = 1795824000u + (uint32_t)n;
        packet.vehicle = 12;
        packet.has_position = 1;
        packet.latitude = 48.20849;
        packet.longitude = 16.37208;
        packet.priority = 2;
        packet.framing = CSSA_FRAMING_STREAM;
        put(caption, &packet, packets);
        packet.key = "0707070707070707070707070707070707070707070707070707070707070707\n";
        put(caption, &packet, keyed);
        size_t with_32 = 0, with_16 = 0;
        packet.framing = CSSA_FRAMING_NONE;
        CHECK(cssa_pack(caption, &packet, NULL, 0, &with_32) == CSSA_STATUS_BUFFER);
        packet.checksum = CSSA_CHECKSUM_CRC16;
        CHECK(cssa_pack(caption, &packet, NULL, 0, &with_16) == CSSA_STATUS_BUFFER && with_16 + 2 == with_32);
        cssa_caption_free(&again);
        cssa_caption_free(&caption);
        CHECK(caption == NULL);
    }
    CHECK(fclose(packets) == 0 && fclose(keyed) == 0);
    cssa_close(&captioner);
    CHECK(captioner == NULL);
    return 0;
}
