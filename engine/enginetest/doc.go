// Package enginetest holds doubles of the engine's ports for tests: a scripted
// [Transcriber] and [Decoder], a [Portal] that finds, opens and writes from
// memory with faults on request, and a [Till] that notices money taken twice.
// All are safe for concurrent use. There is no double of the Store: tests use
// the real one on SQLite in a temporary folder.
//
// It also reads the references of the demo calls ([ReadReference]), makes worse
// calls of good ones ([Crosstalk], [WriteWAV]) and counts word errors
// ([WordErrors]).
package enginetest
