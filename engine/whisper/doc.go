// Package whisper recognises speech with whisper.cpp. It is the only door to
// that C code, and only a speech worker process goes through it: an assertion
// in C ends the process, and nothing in Go can prevent that.
//
// One [Model] holds the weights once and a pool of states over them:
//
//	          ┌─────────────────────────── Model ───────────────────────────┐
//	window ──►│ free states ──► whisper_full_with_state, one compute thread │──► segments
//	          └─────────────────────────────────────────────────────────────┘
//
// A state is used by one goroutine at a time and lives as long as the model:
// making one takes hundreds of megabytes and, on a GPU, streams and
// workspaces; freeing one waits for the others. More states, not more threads,
// use more cores: the compute threads of one state spin while they wait for
// each other, which collapses as soon as any other process wants a core.
//
// # Decisions
//
// The Go binding that comes with whisper.cpp is not used, because it lacks what
// this design stands on and has what it must not have:
//
//   - All contexts of a binding's model share one C state, so two calls at a
//     time overwrite each other's results or end the process with an assertion.
//   - Its registry of callbacks is three unguarded Go maps written on every
//     call: even separate models end in "concurrent map writes".
//   - States, context parameters (which GPU, flash attention), the abort
//     callback, the probability that nobody spoke and the limits on repeated
//     decoding are not to be had through it.
//
// What takes its place is a few C functions (bridge.c) of our own: one call per
// window, one flat result, a C integer to stop it, no Go code called while it
// computes except for the library's warnings.
//
// Decoding is greedy with at most two warmer attempts, in one given language
// and without text from earlier windows: one bad window must not poison the
// next ones, and a window says the same whatever was recognised before it.
//
// Without the build tag whisper [Load] is a stub that returns [ErrNotBuilt].
// "make whisper" provides the library; scripts/native.sh tells how.
package whisper
