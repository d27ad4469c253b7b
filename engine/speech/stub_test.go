//go:build !whisper

package speech_test

// realWorker needs the library.
func realWorker() { panic("built without the tag whisper") }
