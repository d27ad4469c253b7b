// Package speech keeps speech recognition in a process of its own: a crash in C
// code must not stop the appliance.
//
// The [Supervisor] is the engine's Transcriber. It starts a worker, which is
// this same program running [Main], sends windows to its standard input and
// reads what was heard from its standard output:
//
//	Supervisor ── windows ──► worker: Main, Work ──► Recogniser (engine/whisper)
//	           ◄─ answers, heartbeats, GPU facts ──
//
// The life of the worker:
//
//	stopped ──first use──► starting ──loaded, speed known──► ready ◄──► busy
//	                          ▲                                │
//	                          │ recycled after many windows    │ crashed, silent, a window past
//	                          ├────────────────────────────────┤ its deadline, not loadable
//	                          └── pause 1 s, 2 s, … 5 min ── down
//
// A window's deadline comes from the speed of this model on this machine. The
// first time a model is loaded on a device, a calibration window measures it;
// every later window refines it, and a small file keeps it.
//
// Nothing is left behind: a worker ends when its standard input closes, which
// also happens when the appliance is killed; the kernel's death signal is the
// second line.
package speech
