/*
 * libcssa: captions for aerial images, in C.
 *
 *     CssaCaptioner *captioner = NULL;
 *     CssaCaption *caption = NULL;
 *     if (cssa_open("bundle", NULL, &captioner) != CSSA_STATUS_OK ||
 *         cssa_caption_file(captioner, "image.jpg", &caption) != CSSA_STATUS_OK)
 *         fprintf(stderr, "%s\n", cssa_last_error());
 *     else
 *         puts(cssa_caption_text(caption));
 *     cssa_caption_free(&caption);
 *     cssa_close(&captioner);
 *
 * Every function that can fail gives a CssaStatus, and leaves a text for cssa_last_error(). No function lets a panic of the library out:
 * what should never happen is CSSA_STATUS_FAULT. No argument or file ends the process; that the system has no memory left does.
 *
 * Pointers are NULL, which is refused where it is not allowed, or point to what their parameter says. The library reads no byte beyond
 * what it is told, and writes only where a parameter says so.
 *
 * Threads: one captioner may be used by many threads, which caption one after the other; several captioners work side by side. A
 * caption may be read by many threads. cssa_close() and cssa_caption_free() must not run while another thread uses what they end.
 * A thread that calls has a stack of 256 KiB or more. After fork() without exec() the child must not call: a runtime's threads are not in it.
 *
 * Structs that begin with their size can grow: set all of it to zero, which stands for the default, and then `size` to sizeof it. A
 * program that was built with this header works with every later libcssa of the same CSSA_ABI_VERSION.
 *
 * Made by cbindgen from edge/capi; MIT OR Apache-2.0.
 */


#ifndef CSSA_H
#define CSSA_H

#include <stddef.h>
#include <stdint.h>

/**
 * Bytes of a packet at most, with what stands around it.
 */
#define CSSA_MAX_PACKET 4120

/**
 * Number of the interface, and of the library's name libcssa.so.0: another number is another interface.
 */
#define CSSA_ABI_VERSION 0

/**
 * What became of a call. Later versions may add codes: whatever is not CSSA_STATUS_OK has done nothing.
 */
enum CssaStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Done.
   */
  CSSA_STATUS_OK = 0,
  /**
   * An argument is none that is allowed: NULL, a size, a number.
   */
  CSSA_STATUS_ARGUMENT = 1,
  /**
   * A file cannot be read: the system says no.
   */
  CSSA_STATUS_FILE = 2,
  /**
   * The bundle is damaged, or not signed as it should be.
   */
  CSSA_STATUS_BUNDLE = 3,
  /**
   * The runtime or the provider is not there.
   */
  CSSA_STATUS_RUNTIME = 4,
  /**
   * The image cannot be decoded.
   */
  CSSA_STATUS_IMAGE = 5,
  /**
   * The model gave no caption that could be true.
   */
  CSSA_STATUS_MODEL = 6,
  /**
   * The caption fits no packet.
   */
  CSSA_STATUS_PACKET = 7,
  /**
   * The buffer is too small: the length that is needed is told.
   */
  CSSA_STATUS_BUFFER = 8,
  /**
   * It is not known: the bundle has no statistics for it.
   */
  CSSA_STATUS_UNKNOWN = 9,
  /**
   * A fault of the library, please report it. The captioner in use is of no use any more.
   */
  CSSA_STATUS_FAULT = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum CssaStatus CssaStatus;
#else
typedef int32_t CssaStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether an image is outside of what the model knows, and why: the words of one that is are not to be believed.
 */
enum CssaOutside
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The bundle cannot tell: it has no statistics.
   */
  CSSA_OUTSIDE_UNKNOWN = -1,
  /**
   * It is not.
   */
  CSSA_OUTSIDE_NO = 0,
  /**
   * It is like nothing that the model has learned from.
   */
  CSSA_OUTSIDE_UNFAMILIAR = 1,
  /**
   * One colour.
   */
  CSSA_OUTSIDE_BLANK = 2,
  /**
   * Nearly all of it is black.
   */
  CSSA_OUTSIDE_DARK = 3,
  /**
   * Nearly all of it is at the upper end of the scale.
   */
  CSSA_OUTSIDE_OVEREXPOSED = 4,
  /**
   * Out of focus.
   */
  CSSA_OUTSIDE_DEFOCUSED = 5,
  /**
   * Smeared by motion.
   */
  CSSA_OUTSIDE_SMEARED = 6,
  /**
   * More noise than picture.
   */
  CSSA_OUTSIDE_NOISY = 7,
  /**
   * Without contrast: fog, cloud.
   */
  CSSA_OUTSIDE_FOGGY = 8,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum CssaOutside CssaOutside;
#else
typedef int32_t CssaOutside;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Which program runs the model.
 */
enum CssaRuntime
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * ONNX Runtime where its library is found, else tract.
   */
  CSSA_RUNTIME_AUTO = 0,
  /**
   * ONNX Runtime.
   */
  CSSA_RUNTIME_ORT = 1,
  /**
   * tract, on any CPU, where the library is built with it.
   */
  CSSA_RUNTIME_TRACT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum CssaRuntime CssaRuntime;
#else
typedef uint32_t CssaRuntime;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Where ONNX Runtime computes.
 */
enum CssaProvider
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The CPU.
   */
  CSSA_PROVIDER_CPU = 0,
  /**
   * CUDA.
   */
  CSSA_PROVIDER_CUDA = 1,
  /**
   * TensorRT, and CUDA for what it cannot run.
   */
  CSSA_PROVIDER_TENSORRT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum CssaProvider CssaProvider;
#else
typedef uint32_t CssaProvider;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The bytes of a pixel.
 */
enum CssaFormat
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Red, green, blue.
   */
  CSSA_FORMAT_RGB8 = 0,
  /**
   * Blue, green, red, as OpenCV has them.
   */
  CSSA_FORMAT_BGR8 = 1,
  /**
   * Red, green, blue, alpha, which is left away.
   */
  CSSA_FORMAT_RGBA8 = 2,
  /**
   * Grey.
   */
  CSSA_FORMAT_GREY8 = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum CssaFormat CssaFormat;
#else
typedef uint32_t CssaFormat;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What closes a packet: the ground must expect the same.
 */
enum CssaChecksum
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * 32 bits.
   */
  CSSA_CHECKSUM_CRC32 = 0,
  /**
   * 16 bits, where the link has a code of its own.
   */
  CSSA_CHECKSUM_CRC16 = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum CssaChecksum CssaChecksum;
#else
typedef uint32_t CssaChecksum;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What stands around a packet.
 */
enum CssaFraming
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Nothing: a datagram, a frame of another protocol.
   */
  CSSA_FRAMING_NONE = 0,
  /**
   * COBS between two zero bytes: a file or a byte stream, one after the other, as `ground decode` reads them.
   */
  CSSA_FRAMING_STREAM = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum CssaFraming CssaFraming;
#else
typedef uint32_t CssaFraming;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What an image shows. It is made by cssa_caption_pixels(), cssa_caption_encoded() or cssa_caption_file(), never changes, and is ended by
 * cssa_caption_free().
 */
typedef struct CssaCaption CssaCaption;

/**
 * A loaded model. It is made by cssa_open() and ended by cssa_close().
 */
typedef struct CssaCaptioner CssaCaptioner;

/**
 * How a bundle is opened: zero or NULL is the default of each.
 */
typedef struct CssaOptions {
  /**
   * sizeof(CssaOptions).
   */
  size_t size;
  /**
   * CssaRuntime: which program runs the model.
   */
  uint32_t runtime;
  /**
   * CssaProvider: where ONNX Runtime computes.
   */
  uint32_t provider;
  /**
   * Threads of ONNX Runtime's encoder, 1 to 64, and two at most of the decoder; 0: 2.
   */
  uint32_t threads;
  /**
   * 1, 2, 4 or 8 turned and mirrored views of an image that are captioned: more are slower and surer; 0: 1.
   */
  uint32_t looks;
  /**
   * The best caption of a beam of this width, 1 to 16; 0: searched as the bundle says.
   */
  uint32_t beam;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Path of a minisign public key: only a bundle that is signed with it is opened; NULL: any is.
   */
  const char *trust;
  /**
   * Path of libonnxruntime.so; NULL: it is looked for in LD_LIBRARY_PATH, beside the program and in the system's folders.
   * ORT_DYLIB_PATH stands above both. A process has one ONNX Runtime: the first that was opened.
   */
  const char *onnxruntime;
  /**
   * Folder in which TensorRT keeps its engines from one start to the next; NULL: nowhere.
   */
  const char *engines;
} CssaOptions;

/**
 * An image in memory, its upper row first. Set all of it to zero before you set its fields.
 */
typedef struct CssaPixels {
  /**
   * The first pixel of the upper row.
   */
  const uint8_t *data;
  /**
   * Bytes that may be read from `data` on, at least stride × (height − 1) + what the pixels of a row take.
   */
  size_t length;
  /**
   * Bytes from one row to the next, at least what the pixels of a row take; 0: exactly that.
   */
  size_t stride;
  /**
   * Pixels of a row.
   */
  uint32_t width;
  /**
   * Rows.
   */
  uint32_t height;
  /**
   * CssaFormat: the bytes of a pixel.
   */
  uint32_t format;
  /**
   * 0.
   */
  uint32_t reserved;
} CssaPixels;

/**
 * How a caption is packed: zero or NULL is the default of each.
 */
typedef struct CssaPacket {
  /**
   * sizeof(CssaPacket).
   */
  size_t size;
  /**
   * Degrees north, −90 to 90, where has_position is 1.
   */
  double latitude;
  /**
   * Degrees east, −180 to 180, where has_position is 1.
   */
  double longitude;
  /**
   * The key that the vehicle shares with the ground, 64 hexadecimal digits, as `ground key` writes it; NULL: none.
   */
  const char *key;
  /**
   * The caption's number: two with the same number are the same caption to the ground.
   */
  uint32_t number;
  /**
   * Seconds since 1970-01-01 UTC, or since the vehicle's start where they are less than 1577836800.
   */
  uint32_t time;
  /**
   * The vehicle's number, up to 65535; 0: not given.
   */
  uint32_t vehicle;
  /**
   * 1 where there is a position; 0: none.
   */
  uint32_t has_position;
  /**
   * 0 to 3: how much it matters.
   */
  uint32_t priority;
  /**
   * CssaChecksum: what closes it.
   */
  uint32_t checksum;
  /**
   * CssaFraming: what stands around it.
   */
  uint32_t framing;
  /**
   * 0.
   */
  uint32_t reserved;
} CssaPacket;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The words, UTF-8; NULL where `caption` is NULL. They stay as long as the caption.
 */
const char *cssa_caption_text(const struct CssaCaption *caption);

/**
 * Puts the probability, 0 to 1, that the caption names nothing that is not there into `*confidence`. Where the bundle has no statistics
 * for it, it is NaN, which no comparison takes for high or low, and the code CSSA_STATUS_UNKNOWN.
 */
CssaStatus cssa_caption_confidence(const struct CssaCaption *caption,
                                   double *confidence);

/**
 * Puts the share of held-out images that are less like those that the model has learned from than this one, 0 to 1, into
 * `*familiarity`; NaN and CSSA_STATUS_UNKNOWN without statistics.
 */
CssaStatus cssa_caption_familiarity(const struct CssaCaption *caption,
                                    double *familiarity);

/**
 * The plainest reason why the image is outside of what the model knows; CSSA_OUTSIDE_UNKNOWN where `caption` is NULL.
 */
CssaOutside cssa_caption_outside(const struct CssaCaption *caption);

/**
 * All reasons why the image is outside, one bit each: 1 << CSSA_OUTSIDE_DARK and so on; 0 where there is none or it is not known.
 */
uint32_t cssa_caption_reasons(const struct CssaCaption *caption);

/**
 * The name of a CssaOutside, such as "dark"; "unknown" and "no" of those that are no reason, "unknown" of other numbers. Never NULL.
 */
const char *cssa_outside_name(int32_t outside);

/**
 * Milliseconds in the model: preprocessing, encoder, search, judgement, without decoding a file; NaN where `caption` is NULL.
 */
double cssa_caption_milliseconds(const struct CssaCaption *caption);

/**
 * Ends a caption and sets `*caption` to NULL; does nothing where that, or `caption`, is NULL. A copy of the pointer, and its text, must
 * not be used any more.
 */
void cssa_caption_free(struct CssaCaption **caption);

/**
 * Opens a bundle, a folder or a .cssa file, which takes a second or so, and puts a captioner into `*captioner`; NULL where it fails.
 * `options` may be NULL.
 *
 * CSSA_STATUS_ARGUMENT, FILE, BUNDLE, RUNTIME.
 */
CssaStatus cssa_open(const char *bundle,
                     const struct CssaOptions *options,
                     struct CssaCaptioner **captioner);

/**
 * Ends a captioner and sets `*captioner` to NULL; does nothing where that, or `captioner`, is NULL: closing it twice does nothing the
 * second time. A copy of the pointer must not be used or closed any more. Captions that it made stay.
 */
void cssa_close(struct CssaCaptioner **captioner);

/**
 * The runtime at work, such as "ort/CPUExecutionProvider" or "tract"; NULL where `captioner` is NULL. It stays as long as the
 * captioner.
 */
const char *cssa_runtime(const struct CssaCaptioner *captioner);

/**
 * Captions an image in memory and puts the caption into `*caption`; NULL where it fails. The pixels are only read, and not kept.
 *
 * CSSA_STATUS_ARGUMENT, MODEL, FAULT.
 */
CssaStatus cssa_caption_pixels(const struct CssaCaptioner *captioner,
                               const struct CssaPixels *pixels,
                               struct CssaCaption **caption);

/**
 * Captions an image file that is in memory, a JPEG, PNG or TIFF of `length` bytes, and puts the caption into `*caption`; NULL where it
 * fails. It is turned as its orientation tag says.
 *
 * CSSA_STATUS_ARGUMENT, IMAGE, MODEL, FAULT.
 */
CssaStatus cssa_caption_encoded(const struct CssaCaptioner *captioner,
                                const uint8_t *file,
                                size_t length,
                                struct CssaCaption **caption);

/**
 * Captions the image file at `path` and puts the caption into `*caption`; NULL where it fails.
 *
 * CSSA_STATUS_ARGUMENT, FILE, IMAGE, MODEL, FAULT.
 */
CssaStatus cssa_caption_file(const struct CssaCaptioner *captioner, const char *path, struct CssaCaption **caption);

/**
 * Packs a caption into `buffer`, which has room for `capacity` bytes, and puts the packet's length into `*length`. `packet` may be NULL.
 *
 * Where the buffer is too small, nothing is written to it, the code is CSSA_STATUS_BUFFER, and `*length` is what is needed: with a
 * capacity of 0, and a buffer of NULL, that is how to ask. Of other errors `*length` is 0. A caption of a dozen words takes about 30
 * bytes, none more than CSSA_MAX_PACKET.
 *
 * CSSA_STATUS_ARGUMENT, PACKET, BUFFER.
 */
CssaStatus cssa_pack(const struct CssaCaption *caption,
                     const struct CssaPacket *packet,
                     uint8_t *buffer,
                     size_t capacity,
                     size_t *length);

/**
 * What went wrong in this thread's last call that gave a CssaStatus, in one line of UTF-8; "" where nothing did. It stays until this
 * thread's next such call. Never NULL.
 */
const char *cssa_last_error(void);

/**
 * The name of a code, such as "CSSA_STATUS_FILE"; "unknown" of others. Never NULL.
 */
const char *cssa_status_name(int32_t status);

/**
 * The interface of the library at hand, to compare with CSSA_ABI_VERSION, which is that of this header.
 */
uint32_t cssa_abi_version(void);

/**
 * The version of the library, such as "0.1.0".
 */
const char *cssa_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CSSA_H */
