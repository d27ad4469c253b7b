// Package audio turns a recording nobody has to trust into samples.
//
// Two halves live here. [Decoder] is the appliance's side: it starts one
// process per file, hands it open files and a question, and waits for the
// answer no longer than its limits allow. [Work] is the other side, the whole
// life of that process:
//
//	serve                                worker decode (same binary)
//	Decoder.Inspect ── 0 question ────►  confine: no new rights, memory, time, files
//	                ── 3 recording ───►  sniff ─► WAV or MP3 ─► meter ─► turns (handed in)
//	                ◄─ 1 answer ───────  facts, peaks, windows
//	Decoder.Open    ── 4 empty file ──►  … ─► resampler ─► 16 bit samples, interleaved
//	PCM.Read        ◄─ same file
//
// Everything is decoded block by block, so memory does not grow with the
// recording beyond four bytes per channel and 10 ms. A recording that cannot
// be used is an [engine.BadAudio]; a worker that died or was killed is
// [engine.ErrWorkerDied] with the first and last lines it wrote.
package audio
