//go:build whisper

#define _GNU_SOURCE
#include "bridge.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <ggml-backend.h>
#include <whisper.h>

#include "_cgo_export.h"

const char *fs_check(void) {
	struct whisper_context_params *c = whisper_context_default_params_by_ref();
	struct whisper_full_params *p = whisper_full_default_params_by_ref(WHISPER_SAMPLING_GREEDY);
	const char *wrong = NULL;
	if (c == NULL || p == NULL)
		wrong = "no default parameters";
	else if (!c->use_gpu || c->gpu_device != 0 || c->dtw_token_timestamps)
		wrong = "whisper_context_params";
	else if (p->strategy != WHISPER_SAMPLING_GREEDY || p->n_threads < 1 || p->n_threads > 4096 || p->n_max_text_ctx != 16384)
		wrong = "whisper_full_params.n_max_text_ctx";
	else if (p->thold_pt != 0.01f || p->thold_ptsum != 0.01f || p->max_len != 0 || p->audio_ctx != 0)
		wrong = "whisper_full_params.thold_pt";
	else if (p->language == NULL || strcmp(p->language, "en") != 0 || p->detect_language)
		wrong = "whisper_full_params.language";
	else if (p->temperature_inc != 0.2f || p->no_speech_thold != 0.6f || p->greedy.best_of != 5)
		wrong = "whisper_full_params.temperature_inc";
	else if (p->abort_callback != NULL || p->abort_callback_user_data != NULL || p->grammar_penalty != 100.0f)
		wrong = "whisper_full_params.abort_callback";
	else if (p->vad || p->vad_params.threshold != 0.5f || p->vad_params.samples_overlap != 0.1f)
		wrong = "whisper_full_params.vad_params";
	whisper_free_context_params(c);
	whisper_free_params(p);
	return wrong;
}

static void on_log(enum ggml_log_level level, const char *text, void *unused) {
	(void)unused;
	if (level == GGML_LOG_LEVEL_WARN || level == GGML_LOG_LEVEL_ERROR)
		fsLog(level == GGML_LOG_LEVEL_ERROR, (char *)text);
}

void fs_start(const char *dir) {
	whisper_log_set(on_log, NULL);
	ggml_log_set(on_log, NULL);
	if (dir != NULL)
		ggml_backend_load_all_from_path(dir);
	else
		ggml_backend_load_all();
}

const char *fs_library_path(void) {
	Dl_info info;
	// Not &ggml_backend_load_all: that may be the program's own jump table.
	void *f = dlsym(RTLD_DEFAULT, "ggml_backend_load_all_from_path");
	if (f == NULL || dladdr(f, &info) == 0)
		return NULL;
	return info.dli_fname;
}

struct whisper_context *fs_load(const char *path, bool gpu, int device, bool flash_attention) {
	struct whisper_context_params p = whisper_context_default_params();
	p.use_gpu = gpu;
	p.gpu_device = device;
	p.flash_attn = flash_attention;
	return whisper_init_from_file_with_params_no_state(path, p);
}

void fs_device(bool gpu, int device, const char **name, const char **description) {
	ggml_backend_dev_t found = NULL;
	size_t count = ggml_backend_dev_count();
	int n = 0;
	for (size_t i = 0; gpu && found == NULL && i < count; i++) { // the library counts in this way too
		ggml_backend_dev_t dev = ggml_backend_dev_get(i);
		enum ggml_backend_dev_type type = ggml_backend_dev_type(dev);
		if ((type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU) && n++ == device)
			found = dev;
	}
	if (found == NULL)
		found = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
	*name = found == NULL ? NULL : ggml_backend_dev_name(found);
	*description = found == NULL ? NULL : ggml_backend_dev_description(found);
}

static bool stopped(void *stop) { return __atomic_load_n((int32_t *)stop, __ATOMIC_RELAXED) != 0; }

struct buffer {
	unsigned char *data;
	size_t size, room;
	bool full; // memory ran out
};

static void put(struct buffer *b, const void *data, size_t size) {
	if (b->full)
		return;
	if (b->size + size > b->room) {
		size_t room = 2 * (b->size + size) + 4096;
		unsigned char *more = realloc(b->data, room);
		if (more == NULL) {
			b->full = true;
			return;
		}
		b->data = more;
		b->room = room;
	}
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

static void put_i32(struct buffer *b, int32_t v) { put(b, &v, sizeof v); }
static void put_i64(struct buffer *b, int64_t v) { put(b, &v, sizeof v); }
static void put_f32(struct buffer *b, float v) { put(b, &v, sizeof v); }

static void put_text(struct buffer *b, const char *text) {
	size_t size = text == NULL ? 0 : strlen(text);
	put_i32(b, (int32_t)size);
	if (size > 0)
		put(b, text, size);
}

static void copy_result(struct buffer *b, struct whisper_context *ctx, struct whisper_state *state) {
	const whisper_token end = whisper_token_eot(ctx); // special tokens and times come from here on
	const int segments = whisper_full_n_segments_from_state(state);
	put_i32(b, segments);
	for (int s = 0; s < segments; s++) {
		put_i64(b, whisper_full_get_segment_t0_from_state(state, s));
		put_i64(b, whisper_full_get_segment_t1_from_state(state, s));
		put_f32(b, whisper_full_get_segment_no_speech_prob_from_state(state, s));
		put_text(b, whisper_full_get_segment_text_from_state(state, s));
		const int tokens = whisper_full_n_tokens_from_state(state, s);
		int words = 0;
		for (int t = 0; t < tokens; t++)
			words += whisper_full_get_token_id_from_state(state, s, t) < end;
		put_i32(b, words);
		for (int t = 0; t < tokens; t++) {
			const whisper_token_data d = whisper_full_get_token_data_from_state(state, s, t);
			if (d.id >= end)
				continue;
			put_i64(b, d.t0);
			put_i64(b, d.t1);
			put_f32(b, d.p);
			put_text(b, whisper_full_get_token_text_from_state(ctx, state, s, t));
		}
	}
}

int fs_run(struct whisper_context *ctx, struct whisper_state *state, const float *pcm, int samples,
           const char *language, int32_t *stop, unsigned char **out, size_t *size) {
	struct whisper_full_params p = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
	p.n_threads = 1;
	p.n_max_text_ctx = 0;
	p.no_context = true;
	p.language = language;
	p.greedy.best_of = 1;
	p.temperature_inc = 0.4f; // 0, 0.4, 0.8: two warmer attempts at most
	p.token_timestamps = true;
	p.print_progress = false;
	p.print_timestamps = false;
	p.abort_callback = stopped;
	p.abort_callback_user_data = stop;
	int rc = whisper_full_with_state(ctx, state, p, pcm, samples);
	if (rc != 0)
		return rc;
	struct buffer b = {0};
	copy_result(&b, ctx, state);
	if (b.full) {
		free(b.data);
		return FS_NO_MEMORY;
	}
	*out = b.data;
	*size = b.size;
	return 0;
}
