package audio

import "io"

// stream is decoded audio, read from front to back.
type stream interface {
	// read fills the slices of dst, one per channel and all of one length, and
	// returns how many samples each of them got; io.EOF after the last.
	read(dst [][]float32) (int, error)
}

// source is an opened recording and what its headers say.
type source struct {
	stream
	family   family
	format   string // for a person: "wav PCM 16"
	rate     int    // Hz
	channels int
	declared int64 // samples per channel the file promises; 0 if it does not say
	cut      bool  // the file ends inside a frame
}

// open finds out what a file is and readies it for reading.
func open(r io.ReaderAt, size int64) (*source, error) {
	kind, err := sniff(r, size)
	if err != nil {
		return nil, err
	}
	var s *source
	if kind == familyWAV {
		s, err = openWAV(r, size)
	} else {
		s, err = openMP3(r, size)
	}
	if err != nil {
		return nil, err
	}
	s.family = kind
	switch {
	case s.channels > maxChannel:
		return nil, tooManyChannels(s.channels)
	case s.channels < 1:
		return nil, damaged("в заголовке нет каналов")
	case s.rate < minRate || s.rate > maxRate:
		return nil, oddRate(s.rate)
	}
	return s, nil
}
