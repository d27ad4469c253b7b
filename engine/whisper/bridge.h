#ifndef FLYSENSE_BRIDGE_H
#define FLYSENSE_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct whisper_context;
struct whisper_state;

// fs_check compares the library's default parameters, read through the headers
// this program was compiled with, with the values they are known to have. NULL
// if they agree, otherwise the first field that does not.
const char *fs_check(void);

// fs_start sets the log and loads the compute plug-ins from dir; NULL leaves
// the place to the library.
void fs_start(const char *dir);

// fs_library_path is the file the compute library was loaded from, or NULL.
const char *fs_library_path(void);

struct whisper_context *fs_load(const char *path, bool gpu, int device, bool flash_attention);

// fs_device names the device that a context with these parameters computes on.
void fs_device(bool gpu, int device, const char **name, const char **description);

// fs_run recognises one window with one compute thread and copies what was
// heard into *out (malloc, the caller frees it). *stop != 0 ends it early.
// Returns the library's code, 0 for success. After FS_STATE_LOST the library
// has freed the state. The layout of *out is read by decode in result.go.
#define FS_STATE_LOST (-7)
#define FS_NO_MEMORY (-100)
int fs_run(struct whisper_context *ctx, struct whisper_state *state, const float *pcm, int samples,
           const char *language, int32_t *stop, unsigned char **out, size_t *size);

#endif
