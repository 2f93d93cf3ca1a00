/* wrong BUNDLE DAMAGED JPEG: what is wrong is refused with a code and its reason, and changes nothing. */
#include "check.h"
#include <math.h>
#include <stddef.h>

static CssaCaptioner *captioner;

static void opening(const char *bundle, const char *damaged) {
    CssaCaptioner *none = (CssaCaptioner *)&captioner;
    CssaOptions options = options_of_test();
    REFUSED(cssa_open(NULL, &options, &none), CSSA_STATUS_ARGUMENT, "bundle is NULL");
    CHECK(none == NULL);
    REFUSED(cssa_open(bundle, &options, NULL), CSSA_STATUS_ARGUMENT, "captioner is NULL");
    REFUSED(cssa_open("/nowhere", &options, &none), CSSA_STATUS_FILE, "/nowhere");
    REFUSED(cssa_open("", &options, &none), CSSA_STATUS_FILE, "");
    REFUSED(cssa_open(damaged, &options, &none), CSSA_STATUS_BUNDLE, "encoder.onnx");
    CHECK(none == NULL);

    struct {
        CssaOptions options;
        uint64_t later[2];
    } grown;
    memset(&grown, 0, sizeof grown);
    const size_t sizes[5] = {0, 8, sizeof options - 1, 4097, SIZE_MAX};
    for (int n = 0; n < 5; n++) {
        options.size = sizes[n];
        REFUSED(cssa_open(bundle, &options, &none), CSSA_STATUS_ARGUMENT, "options: size is");
    }
    grown.options.size = sizeof grown;
    grown.later[1] = 1;
    REFUSED(cssa_open(bundle, &grown.options, &none), CSSA_STATUS_ARGUMENT, "a later libcssa");
    struct {
        size_t place;
        uint32_t value;
        const char *said;
    } fields[7] = {
        {offsetof(CssaOptions, runtime), 3, "runtime is 3"},   {offsetof(CssaOptions, provider), 9, "provider is 9"},
        {offsetof(CssaOptions, threads), 65, "threads is 65"}, {offsetof(CssaOptions, looks), 3, "looks is 3"},
        {offsetof(CssaOptions, looks), 257, "looks is 257"},   {offsetof(CssaOptions, beam), 17, "beam is 17"},
        {offsetof(CssaOptions, reserved), 1, "reserved is 1"},
    };
    for (int n = 0; n < 7; n++) {
        options = options_of_test();
        memcpy((char *)&options + fields[n].place, &fields[n].value, 4);
        REFUSED(cssa_open(bundle, &options, &none), CSSA_STATUS_ARGUMENT, fields[n].said);
    }
    options = options_of_test();
    options.trust = "/nowhere.pub";
    REFUSED(cssa_open(bundle, &options, &none), CSSA_STATUS_FILE, "/nowhere.pub");
    options = options_of_test();
    options.runtime = CSSA_RUNTIME_TRACT;
    options.provider = CSSA_PROVIDER_CUDA;
    REFUSED(cssa_open(bundle, &options, &none), CSSA_STATUS_RUNTIME, "tract has no providers");
    options.runtime = CSSA_RUNTIME_ORT;
    options.provider = CSSA_PROVIDER_TENSORRT;
    CHECK(cssa_open(bundle, &options, &none) == CSSA_STATUS_RUNTIME);
    CHECK(none == NULL && cssa_runtime(none) == NULL);
    cssa_close(&none);
    cssa_close(NULL);
    CHECK(strcmp(cssa_last_error(), "") != 0); /* Closing leaves the text. */

    /* A program that knows more fields, and leaves them zero. */
    grown.options = options_of_test();
    grown.options.size = sizeof grown;
    grown.later[1] = 0;
    CHECK(cssa_open(bundle, &grown.options, &captioner) == CSSA_STATUS_OK && strcmp(cssa_last_error(), "") == 0);
}

static void images(const char *jpeg) {
    CssaCaption *caption = NULL;
    uint8_t three[3] = {1, 2, 3};
    CssaPixels good, pixels;
    memset(&good, 0, sizeof good);
    good.data = three;
    good.length = 3;
    good.width = good.height = 1;
    REFUSED(cssa_caption_pixels(NULL, &good, &caption), CSSA_STATUS_ARGUMENT, "captioner is NULL");
    REFUSED(cssa_caption_pixels(captioner, NULL, &caption), CSSA_STATUS_ARGUMENT, "pixels is NULL");
    REFUSED(cssa_caption_pixels(captioner, &good, NULL), CSSA_STATUS_ARGUMENT, "caption is NULL");
#define WITH(field, value, part)                                                                                \
    pixels = good;                                                                                              \
    pixels.field = value;                                                                                       \
    REFUSED(cssa_caption_pixels(captioner, &pixels, &caption), CSSA_STATUS_ARGUMENT, part)
    WITH(data, NULL, "data is NULL");
    WITH(length, 0, "length is 0, expected 3");
    WITH(length, 2, "length is 2, expected 3");
    WITH(length, SIZE_MAX, "as many as a memory holds");
    WITH(width, 0, "expected pixels");
    WITH(height, 0, "expected pixels");
    WITH(width, UINT32_MAX, "length is 3");
    WITH(height, UINT32_MAX, "length is 3");
    WITH(stride, 2, "stride is 2, expected 3");
    WITH(format, 4, "format is 4");
    WITH(reserved, 1, "reserved is 1");
#undef WITH
    pixels = good;
    pixels.width = pixels.height = UINT32_MAX;
    pixels.stride = SIZE_MAX;
    REFUSED(cssa_caption_pixels(captioner, &pixels, &caption), CSSA_STATUS_ARGUMENT, "more than a memory holds");
    pixels.stride = 0;
    REFUSED(cssa_caption_pixels(captioner, &pixels, &caption), CSSA_STATUS_ARGUMENT, "");
    pixels.stride = SIZE_MAX / 2;
    pixels.width = 1;
    pixels.height = 4;
    REFUSED(cssa_caption_pixels(captioner, &pixels, &caption), CSSA_STATUS_ARGUMENT, "more than a memory holds");
    CHECK(caption == NULL);

    size_t length = 0;
    uint8_t *bytes = read_file(jpeg, &length);
    REFUSED(cssa_caption_encoded(NULL, bytes, length, &caption), CSSA_STATUS_ARGUMENT, "captioner is NULL");
    REFUSED(cssa_caption_encoded(captioner, NULL, length, &caption), CSSA_STATUS_ARGUMENT, "file is NULL");
    REFUSED(cssa_caption_encoded(captioner, bytes, 0, &caption), CSSA_STATUS_ARGUMENT, "file has 0 bytes");
    REFUSED(cssa_caption_encoded(captioner, bytes, SIZE_MAX, &caption), CSSA_STATUS_ARGUMENT, "file has");
    REFUSED(cssa_caption_encoded(captioner, bytes, length, NULL), CSSA_STATUS_ARGUMENT, "caption is NULL");
    REFUSED(cssa_caption_encoded(captioner, three, 3, &caption), CSSA_STATUS_IMAGE, "no JPEG, PNG or TIFF");
    /* Cut off anywhere, in memory of its own that ends there: AddressSanitizer sees who reads on. */
    for (size_t part = 1; part < length; part += length / 16 + 1) {
        uint8_t *cut = (uint8_t *)malloc(part);
        CHECK(cut != NULL);
        memcpy(cut, bytes, part);
        REFUSED(cssa_caption_encoded(captioner, cut, part, &caption), CSSA_STATUS_IMAGE, "the image");
        free(cut);
    }
    free(bytes);
    CHECK(caption == NULL);
    REFUSED(cssa_caption_file(captioner, NULL, &caption), CSSA_STATUS_ARGUMENT, "path is NULL");
    REFUSED(cssa_caption_file(captioner, "/nowhere.jpg", &caption), CSSA_STATUS_FILE, "/nowhere.jpg");
    REFUSED(cssa_caption_file(captioner, "/", &caption), CSSA_STATUS_IMAGE, "/");
}

static void nothing(void) {
    double value = 7;
    size_t length = 7;
    CHECK(cssa_caption_text(NULL) == NULL && cssa_caption_reasons(NULL) == 0);
    CHECK(cssa_caption_outside(NULL) == CSSA_OUTSIDE_UNKNOWN && cssa_caption_milliseconds(NULL) != 0);
    REFUSED(cssa_caption_confidence(NULL, &value), CSSA_STATUS_ARGUMENT, "caption is NULL");
    CHECK(value != value);
    REFUSED(cssa_caption_familiarity(NULL, NULL), CSSA_STATUS_ARGUMENT, "familiarity is NULL");
    REFUSED(cssa_pack(NULL, NULL, NULL, 0, &length), CSSA_STATUS_ARGUMENT, "caption is NULL");
    CHECK(length == 0);
    cssa_caption_free(NULL);
}

static void packing(const char *jpeg) {
    CssaCaption *caption = NULL;
    CHECK(cssa_caption_file(captioner, jpeg, &caption) == CSSA_STATUS_OK);
    REFUSED(cssa_caption_confidence(caption, NULL), CSSA_STATUS_ARGUMENT, "confidence is NULL");
    uint8_t buffer[CSSA_MAX_PACKET];
    size_t length = 7;
    REFUSED(cssa_pack(caption, NULL, buffer, sizeof buffer, NULL), CSSA_STATUS_ARGUMENT, "length is NULL");
    REFUSED(cssa_pack(caption, NULL, NULL, sizeof buffer, &length), CSSA_STATUS_ARGUMENT, "buffer is NULL");
    CHECK(cssa_pack(caption, NULL, buffer, sizeof buffer, &length) == CSSA_STATUS_OK && length > 8);
    CssaPacket good, packet;
    memset(&good, 0, sizeof good);
    good.size = sizeof good;
#define WITH(field, value, part)                                                                                \
    packet = good;                                                                                              \
    packet.field = value;                                                                                       \
    REFUSED(cssa_pack(caption, &packet, buffer, sizeof buffer, &length), CSSA_STATUS_ARGUMENT, part);           \
    CHECK(length == 0)
    WITH(size, 0, "packet: size is 0");
    WITH(vehicle, 65536, "vehicle is 65536");
    WITH(has_position, 2, "has_position is 2");
    WITH(priority, 4, "priority is 4");
    WITH(checksum, 2, "checksum is 2");
    WITH(framing, 2, "framing is 2");
    WITH(reserved, 1, "reserved is 1");
    WITH(key, "", "key is none");
    WITH(key, "07", "64 hexadecimal digits");
    WITH(key, "\xff", "key is none");
    good.has_position = 1;
    WITH(latitude, 90.1, "90.1 north");
    WITH(longitude, -181, "-181 east");
    WITH(latitude, (double)NAN, "NaN north");
    WITH(longitude, 1e300, "expected degrees");
#undef WITH
    CssaCaption *copy = caption;
    cssa_caption_free(&caption);
    cssa_caption_free(&caption); /* The second time it is NULL; `copy` must not be used any more. */
    CHECK(caption == NULL && copy != NULL);
}

int main(int count, char **arguments) {
    CHECK(count == 4);
    opening(arguments[1], arguments[2]);
    images(arguments[3]);
    nothing();
    packing(arguments[3]);
    cssa_close(&captioner);
    cssa_close(&captioner); /* Twice: the second time it is NULL. */
    CHECK(captioner == NULL);
    puts("what is wrong is refused");
    return 0;
}
