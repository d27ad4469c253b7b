package audio

import (
	"math"
	"testing"
)

// TestResamplerAccuracy holds the filter to the table of figures it was chosen
// by: what is added to a low and to a high tone of speech, in dB below it, and
// what is left of a tone that has no place at 16 kHz.
func TestResamplerAccuracy(t *testing.T) {
	for _, tt := range []struct {
		from      int
		low, high float64 // dB at 1 kHz and 3.3 kHz
	}{
		{8_000, 104, 103}, {11_025, 103, 107}, {22_050, 103, 107}, {32_000, 137, 137}, {44_100, 119, 116}, {48_000, 136, 137}, {96_000, 100, 100},
	} {
		if snr := snr(t, tt.from, 1000); snr < tt.low {
			t.Errorf("%d Hz: 1 kHz with %.1f dB, want %.0f", tt.from, snr, tt.low)
		}
		if snr := snr(t, tt.from, 3300); snr < tt.high {
			t.Errorf("%d Hz: 3.3 kHz with %.1f dB, want %.0f", tt.from, snr, tt.high)
		}
		if tt.from > 18_000 {
			if alias := 20 * math.Log10(rms(middle(resampled(tt.from, 9000)))/(0.5/math.Sqrt2)); alias > -94.9 {
				t.Errorf("%d Hz: 9 kHz comes through with %.1f dB", tt.from, alias)
			}
		}
	}
}

// resampled is a second of a tone at 16 kHz, pushed in uneven pieces.
func resampled(from int, hz float64) []float32 {
	r := newResampler(from, 16_000)
	in := make([]float32, from)
	for i := range in {
		in[i] = float32(0.5 * math.Sin(2*math.Pi*hz*float64(i)/float64(from)))
	}
	var out []float32
	for step := 1; len(in) > 0; step = step*3%1000 + 1 {
		n := min(step, len(in))
		out = r.push(out, in[:n])
		in = in[n:]
	}
	return r.flush(out)
}

// middle is half a second without the edges: whole periods of every tone here.
func middle(v []float32) []float32 { return v[4000:12000] }

func snr(t *testing.T, from int, hz float64) float64 {
	t.Helper()
	out := resampled(from, hz)
	if len(out) != 16_000 {
		t.Errorf("%d Hz: a second became %d samples", from, len(out))
	}
	out = middle(out)
	var re, im float64
	for i, v := range out {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / 16_000)
		re, im = re+float64(v)*cos, im+float64(v)*sin
	}
	re, im = 2*re/float64(len(out)), 2*im/float64(len(out))
	if gain := 20 * math.Log10(math.Hypot(re, im)/0.5); math.Abs(gain) > 0.001 {
		t.Errorf("%d Hz: %.0f Hz is %.4f dB louder", from, hz, gain)
	}
	diff := make([]float32, len(out))
	for i, v := range out {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / 16_000)
		diff[i] = float32(float64(v) - re*cos - im*sin)
	}
	return 20 * math.Log10(rms(out)/rms(diff))
}

func rms(v []float32) float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum / float64(len(v)))
}

func BenchmarkResample(b *testing.B) {
	in := make([]float32, 44_100)
	for i := range in {
		in[i] = float32(i%100) / 100
	}
	r := newResampler(44_100, 16_000)
	var out []float32
	for b.Loop() {
		out = r.push(out[:0], in)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "xrealtime")
}
