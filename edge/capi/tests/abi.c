/* What a compiled program knows of the library: sizes, places and numbers. Whatever fails here takes another CSSA_ABI_VERSION. */
#include "check.h"
#include <stddef.h>

#ifdef __cplusplus
#define IS(condition) static_assert(condition, #condition)
#else
#define IS(condition) _Static_assert(condition, #condition)
#endif
#define AT(type, field, place) IS(offsetof(type, field) == (place))

IS(CSSA_ABI_VERSION == 0);
IS(sizeof(void *) == 8 && sizeof(CssaStatus) == 4 && sizeof(CssaOutside) == 4);

IS(sizeof(CssaOptions) == 56);
AT(CssaOptions, size, 0);
AT(CssaOptions, runtime, 8);
AT(CssaOptions, provider, 12);
AT(CssaOptions, threads, 16);
AT(CssaOptions, looks, 20);
AT(CssaOptions, beam, 24);
AT(CssaOptions, reserved, 28);
AT(CssaOptions, trust, 32);
AT(CssaOptions, onnxruntime, 40);
AT(CssaOptions, engines, 48);

IS(sizeof(CssaPixels) == 40);
AT(CssaPixels, data, 0);
AT(CssaPixels, length, 8);
AT(CssaPixels, stride, 16);
AT(CssaPixels, width, 24);
AT(CssaPixels, height, 28);
AT(CssaPixels, format, 32);
AT(CssaPixels, reserved, 36);

IS(sizeof(CssaPacket) == 64);
AT(CssaPacket, size, 0);
AT(CssaPacket, latitude, 8);
AT(CssaPacket, longitude, 16);
AT(CssaPacket, key, 24);
AT(CssaPacket, number, 32);
AT(CssaPacket, time, 36);
AT(CssaPacket, vehicle, 40);
AT(CssaPacket, has_position, 44);
AT(CssaPacket, priority, 48);
AT(CssaPacket, checksum, 52);
AT(CssaPacket, framing, 56);
AT(CssaPacket, reserved, 60);

IS(CSSA_STATUS_OK == 0 && CSSA_STATUS_ARGUMENT == 1 && CSSA_STATUS_FILE == 2 && CSSA_STATUS_BUNDLE == 3);
IS(CSSA_STATUS_RUNTIME == 4 && CSSA_STATUS_IMAGE == 5 && CSSA_STATUS_MODEL == 6 && CSSA_STATUS_PACKET == 7);
IS(CSSA_STATUS_BUFFER == 8 && CSSA_STATUS_UNKNOWN == 9 && CSSA_STATUS_FAULT == 10);
IS(CSSA_RUNTIME_AUTO == 0 && CSSA_RUNTIME_ORT == 1 && CSSA_RUNTIME_TRACT == 2);
IS(CSSA_PROVIDER_CPU == 0 && CSSA_PROVIDER_CUDA == 1 && CSSA_PROVIDER_TENSORRT == 2);
IS(CSSA_FORMAT_RGB8 == 0 && CSSA_FORMAT_BGR8 == 1 && CSSA_FORMAT_RGBA8 == 2 && CSSA_FORMAT_GREY8 == 3);
IS(CSSA_CHECKSUM_CRC32 == 0 && CSSA_CHECKSUM_CRC16 == 1 && CSSA_FRAMING_NONE == 0 && CSSA_FRAMING_STREAM == 1);
IS(CSSA_OUTSIDE_UNKNOWN == -1 && CSSA_OUTSIDE_NO == 0 && CSSA_OUTSIDE_UNFAMILIAR == 1 && CSSA_OUTSIDE_FOGGY == 8);

int main(void) {
    CHECK(cssa_abi_version() == CSSA_ABI_VERSION);
    CHECK(strcmp(cssa_version(), VERSION) == 0);
    for (int32_t status = CSSA_STATUS_OK; status <= CSSA_STATUS_FAULT; status++)
        CHECK(strncmp(cssa_status_name(status), "CSSA_STATUS_", 12) == 0);
    CHECK(strcmp(cssa_status_name(99), "unknown") == 0 && strcmp(cssa_outside_name(99), "unknown") == 0);
    CHECK(strcmp(cssa_outside_name(CSSA_OUTSIDE_DARK), "dark") == 0);
    CHECK(strcmp(cssa_last_error(), "") == 0);
    return 0;
}
