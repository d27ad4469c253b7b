package speech

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"flysense/engine"
)

const (
	speedFile   = "speech-speed.json"
	maxSpeeds   = 32   // models and devices remembered
	speedWeight = 0.05 // of the newest window in the averages
	saveEvery   = 200  // windows between two writes of the file
)

// speed is how fast one model is on one device, with one state.
type speed struct {
	Window  float64   `json:"window_seconds"` // wall time of a window, moving average
	Audio   float64   `json:"audio_seconds"`  // heard per window, moving average
	Windows int       `json:"windows"`        // measured so far, the calibration included
	At      time.Time `json:"at"`
}

// learn adds a finished window.
func (v *speed) learn(audio, wall time.Duration, now time.Time) {
	weight := max(speedWeight, 1/float64(v.Windows+1))
	v.Window += weight * (wall.Seconds() - v.Window)
	v.Audio += weight * (audio.Seconds() - v.Audio)
	v.Windows++
	v.At = now
}

// realtime is seconds of audio per second of wall time.
func (v *speed) realtime() float64 {
	if v.Window <= 0 {
		return 0
	}
	return v.Audio / v.Window
}

// deadline is the time a window of this length may take: much more than
// windows take here, because another program may want the machine too.
func (v *speed) deadline(audio, longest time.Duration, l Limits) time.Duration {
	passes := math.Max(1, math.Ceil(audio.Seconds()/longest.Seconds()))
	return l.Floor + time.Duration(l.Factor*v.Window*passes*float64(time.Second))
}

// speeds keeps measured speeds by [speedKey]. An empty dir keeps nothing.
type speeds struct{ dir string }

// speedKey names a model on a device; sha is that of the model's file.
func speedKey(sha, backend, device string) string { return sha + " " + backend + " " + device }

func (s speeds) all() (map[string]speed, error) {
	if s.dir == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(filepath.Join(s.dir, speedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read measured speeds: %w", err)
	}
	var all map[string]speed
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("read measured speeds: %w", err)
	}
	return all, nil
}

// save writes one speed beside the others; a crash leaves the old file or the
// new one. A damaged file is replaced, the oldest entries give way.
func (s speeds) save(key string, v speed) error {
	if s.dir == "" {
		return nil
	}
	all, err := s.all()
	if err != nil || all == nil {
		all = make(map[string]speed)
	}
	all[key] = v
	for len(all) > maxSpeeds {
		oldest := key
		for k, v := range all {
			if v.At.Before(all[oldest].At) {
				oldest = k
			}
		}
		delete(all, oldest)
	}
	raw, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("keep measured speed: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("keep measured speed: %w", err)
	}
	file, err := os.CreateTemp(s.dir, speedFile+".*")
	if err != nil {
		return fmt.Errorf("keep measured speed: %w", err)
	}
	_, err = file.Write(raw)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(s.dir, speedFile))
	}
	if err != nil {
		return fmt.Errorf("keep measured speed: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

// calibration is a window of the longest length: a hum that swells and fades,
// the same each time. What is heard in it does not matter.
func calibration(m engine.Model) engine.Samples {
	s := engine.Samples{Rate: m.Rate, PCM: make([]float32, int(m.MaxWindow.Seconds()*float64(m.Rate)))}
	for i := range s.PCM {
		t := float64(i) / float64(m.Rate)
		s.PCM[i] = float32(0.05 * math.Sin(2*math.Pi*180*t) * math.Sin(2*math.Pi*0.7*t))
	}
	return s
}
