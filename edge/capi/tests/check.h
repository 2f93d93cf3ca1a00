/* What the tests have in common. They are C11 and C++17 alike. */
#ifndef CHECK_H
#define CHECK_H

#include <cssa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                        \
    do {                                                                                                        \
        if (!(condition)) {                                                                                     \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, cssa_last_error());              \
            exit(1);                                                                                            \
        }                                                                                                       \
    } while (0)

/* A call is refused with a code, and the text has a part. */
#define REFUSED(call, code, part)                                                                               \
    do {                                                                                                        \
        CssaStatus found_ = (call);                                                                             \
        if (found_ != (code) || strstr(cssa_last_error(), (part)) == NULL) {                                    \
            fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call, cssa_status_name(found_),         \
                    cssa_last_error());                                                                         \
            exit(1);                                                                                            \
        }                                                                                                       \
    } while (0)

static inline uint8_t *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    CHECK(size > 0 && fseek(file, 0, SEEK_SET) == 0);
    uint8_t *bytes = (uint8_t *)malloc((size_t)size);
    CHECK(bytes != NULL && fread(bytes, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    *length = (size_t)size;
    return bytes;
}

/* The runtime of the environment's RUNTIME, "ort" or "tract". */
static inline CssaOptions options_of_test(void) {
    CssaOptions options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    const char *runtime = getenv("RUNTIME");
    options.runtime = runtime != NULL && strcmp(runtime, "tract") == 0 ? CSSA_RUNTIME_TRACT : CSSA_RUNTIME_ORT;
    return options;
}

#endif
