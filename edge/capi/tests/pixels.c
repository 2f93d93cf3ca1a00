/* pixels BUNDLE: images in memory of every format and stride say the same, up to the last byte that may be read. */
#define _GNU_SOURCE
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WIDTH = 150, HEIGHT = 130, THREADS = 4 };

/* A shore, a field and some houses. */
static void sample(uint32_t x, uint32_t y, uint8_t rgb[3]) {
    uint32_t noise = (x * 2654435761u ^ y * 2246822519u) >> 28;
    int house = x % 37 < 12 && y % 41 < 10 && x > 60;
    rgb[0] = (uint8_t)((house ? 180 : x < 50 ? 30 : 90) + noise);
    rgb[1] = (uint8_t)((house ? 70 : x < 50 ? 60 : 130) + noise);
    rgb[2] = (uint8_t)((house ? 60 : x < 50 ? 120 : 60) + noise);
}

/* The same as a TIFF, without compression: 8 bytes of header, the pixels, the directory. */
static uint8_t *tiff(size_t *length) {
    size_t pixels = (size_t)WIDTH * HEIGHT * 3, directory = 8 + pixels;
    const uint32_t entries[9][4] = {
        {256, 3, 1, WIDTH}, {257, 3, 1, HEIGHT}, {258, 3, 1, 8}, {259, 3, 1, 1}, {262, 3, 1, 2},
        {273, 4, 1, 8}, {277, 3, 1, 3}, {278, 3, 1, HEIGHT}, {279, 4, 1, (uint32_t)pixels},
    };
    *length = directory + 2 + sizeof entries / 16 * 12 + 4;
    uint8_t *file = (uint8_t *)calloc(*length, 1);
    CHECK(file != NULL);
    memcpy(file, "II*\0", 4);
    for (int n = 0; n < 4; n++) file[4 + n] = (uint8_t)(directory >> 8 * n);
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++) sample(x, y, file + 8 + (y * WIDTH + x) * 3);
    uint8_t *entry = file + directory;
    *entry = 9;
    entry += 2;
    for (int n = 0; n < 9; n++, entry += 12) {
        for (int byte = 0; byte < 2; byte++) {
            entry[byte] = (uint8_t)(entries[n][0] >> 8 * byte);
            entry[2 + byte] = (uint8_t)(entries[n][1] >> 8 * byte);
        }
        for (int byte = 0; byte < 4; byte++) {
            entry[4 + byte] = (uint8_t)(entries[n][2] >> 8 * byte);
            entry[8 + byte] = (uint8_t)(entries[n][3] >> 8 * byte);
        }
    }
    return file;
}

/* The pixels at the end of memory: the byte behind them cannot be read. */
static CssaPixels at_the_edge(uint32_t format, size_t gap, void **memory, size_t *mapped) {
    size_t channels = format == CSSA_FORMAT_RGBA8 ? 4 : format == CSSA_FORMAT_GREY8 ? 1 : 3;
    size_t row = WIDTH * channels, stride = row + gap, length = stride * (HEIGHT - 1) + row;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (length + page - 1) / page;
    *mapped = (pages + 1) * page;
    *memory = mmap(NULL, *mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(*memory != MAP_FAILED);
    uint8_t *first = (uint8_t *)*memory + pages * page - length;
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++) {
            uint8_t rgb[3], *pixel = first + y * stride + x * channels;
            sample(x, y, rgb);
            if (format == CSSA_FORMAT_GREY8) {
                pixel[0] = rgb[1];
                continue;
            }
            for (int n = 0; n < 3; n++) pixel[n] = rgb[format == CSSA_FORMAT_BGR8 ? 2 - n : n];
            if (format == CSSA_FORMAT_RGBA8) pixel[3] = (uint8_t)(x + y);
        }
    CHECK(mprotect((uint8_t *)*memory + pages * page, page, PROT_NONE) == 0 && mprotect(*memory, pages * page, PROT_READ) == 0);
    CssaPixels pixels;
    memset(&pixels, 0, sizeof pixels);
    pixels.data = first;
    pixels.length = length;
    pixels.stride = gap == 0 ? 0 : stride;
    pixels.width = WIDTH;
    pixels.height = HEIGHT;
    pixels.format = format;
    return pixels;
}

struct job {
    const CssaCaptioner *captioner;
    const CssaPixels *pixels;
    char text[256];
};

static void *caption_it(void *given) {
    struct job *job = (struct job *)given;
    CssaCaption *caption = NULL;
    CHECK(cssa_caption_file(job->captioner, "/nowhere", &caption) == CSSA_STATUS_FILE && caption == NULL);
    CHECK(cssa_caption_pixels(job->captioner, job->pixels, &caption) == CSSA_STATUS_OK);
    snprintf(job->text, sizeof job->text, "%s", cssa_caption_text(caption));
    cssa_caption_free(&caption);
    return NULL;
}

int main(int count, char **arguments) {
    CHECK(count == 2);
    CssaOptions options = options_of_test();
    CssaCaptioner *captioner = NULL;
    CHECK(cssa_open(arguments[1], &options, &captioner) == CSSA_STATUS_OK);
    CssaCaption *expected = NULL;
    size_t length = 0;
    uint8_t *file = tiff(&length);
    CHECK(cssa_caption_encoded(captioner, file, length, &expected) == CSSA_STATUS_OK);
    double confidence = 0;
    CHECK(cssa_caption_confidence(expected, &confidence) == CSSA_STATUS_OK);
    free(file);

    const uint32_t formats[4] = {CSSA_FORMAT_RGB8, CSSA_FORMAT_BGR8, CSSA_FORMAT_RGBA8, CSSA_FORMAT_GREY8};
    for (int n = 0; n < 4; n++)
        for (size_t gap = 0; gap < 40; gap += 13) {
            void *memory = NULL;
            size_t mapped = 0;
            CssaPixels pixels = at_the_edge(formats[n], gap, &memory, &mapped);
            CssaCaption *caption = NULL;
            CHECK(cssa_caption_pixels(captioner, &pixels, &caption) == CSSA_STATUS_OK);
            double found = 0;
            CHECK(cssa_caption_confidence(caption, &found) == CSSA_STATUS_OK);
            if (formats[n] != CSSA_FORMAT_GREY8) {
                CHECK(strcmp(cssa_caption_text(caption), cssa_caption_text(expected)) == 0);
                CHECK(found == confidence);
            }
            cssa_caption_free(&caption);
            pixels.length--;
            REFUSED(cssa_caption_pixels(captioner, &pixels, &caption), CSSA_STATUS_ARGUMENT, "pixels: length is");
            munmap(memory, mapped);
        }

    void *memory = NULL;
    size_t mapped = 0;
    CssaPixels pixels = at_the_edge(CSSA_FORMAT_RGB8, 0, &memory, &mapped);
    /* What the header asks of a thread. */
    pthread_attr_t small;
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 256 * 1024) == 0);
    pthread_t threads[THREADS];
    struct job jobs[THREADS];
    for (int n = 0; n < THREADS; n++) {
        jobs[n].captioner = captioner;
        jobs[n].pixels = &pixels;
        CHECK(pthread_create(&threads[n], &small, caption_it, &jobs[n]) == 0);
    }
    for (int n = 0; n < THREADS; n++) {
        CHECK(pthread_join(threads[n], NULL) == 0);
        CHECK(strcmp(jobs[n].text, cssa_caption_text(expected)) == 0);
    }
    CHECK(strcmp(cssa_last_error(), "") != 0); /* This thread's own, of the length above. */
    /* More pixels than are taken: refused before a byte is read. */
    CssaPixels many = {.data = memory, .length = SIZE_MAX / 2, .width = 30000, .height = 30000, .format = CSSA_FORMAT_RGB8};
    CssaCaption *none = NULL;
    REFUSED(cssa_caption_pixels(captioner, &many, &none), CSSA_STATUS_ARGUMENT, "268435456");
    munmap(memory, mapped);
    cssa_close(&captioner);
    CHECK(strlen(cssa_caption_text(expected)) > 0); /* A caption outlives its captioner. */
    cssa_caption_free(&expected);
    puts("formats, strides, threads");
    return 0;
}
