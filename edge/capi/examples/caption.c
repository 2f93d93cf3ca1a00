/* Captions an image: caption BUNDLE IMAGE. cc caption.c $(pkg-config --cflags --libs cssa) -o caption */
#include <cssa.h>
#include <stdio.h>

int main(int count, char **arguments) {
    if (count != 3) return fputs("usage: caption BUNDLE IMAGE\n", stderr), 2;
    CssaCaptioner *captioner = NULL;
    CssaCaption *caption = NULL;
    int done = cssa_open(arguments[1], NULL, &captioner) == CSSA_STATUS_OK
        && cssa_caption_file(captioner, arguments[2], &caption) == CSSA_STATUS_OK;
    if (done) puts(cssa_caption_text(caption));
    else fprintf(stderr, "error: %s\n", cssa_last_error());
    cssa_caption_free(&caption);
    cssa_close(&captioner);
    return done ? 0 : 1;
}
