package audio

import "math"

// The filter of the resampler: a sinc of so many zero crossings to each side
// under a Kaiser window, cut a little below the lower of the two half rates.
const (
	zeroCrossings = 24
	kaiserBeta    = 9.0
	cutOff        = 0.94
)

// resampler changes the rate of one channel as it streams by. The n-th output
// sample stands at the time n/out, so nothing shifts.
type resampler struct {
	up, down int         // out/in as a reduced fraction
	phases   [][]float64 // filter taps by position between two input samples, made when needed
	half     int         // taps to each side
	cut      float64     // of the source's half rate

	history []float64 // input samples from index base on
	base    int64
	in, out int64 // samples taken and given
}

func newResampler(from, to int) *resampler {
	g := gcd(from, to)
	r := &resampler{up: to / g, down: from / g}
	r.cut = cutOff * min(1, float64(to)/float64(from))
	r.half = int(math.Ceil(zeroCrossings / r.cut))
	r.phases = make([][]float64, r.up)
	r.history = make([]float64, r.half-1) // silence before the first sample
	r.base = -int64(r.half - 1)
	return r
}

// taps returns the filter for a phase. Odd rates have thousands of phases, and
// a short recording meets few of them.
func (r *resampler) taps(phase int64) []float64 {
	if r.phases[phase] != nil {
		return r.phases[phase]
	}
	taps := make([]float64, 2*r.half)
	var sum float64
	for i := range taps {
		x := float64(i-r.half+1) - float64(phase)/float64(r.up) // distance in input samples
		taps[i] = sinc(r.cut*x) * kaiser(x*r.cut/zeroCrossings)
		sum += taps[i]
	}
	for i := range taps {
		taps[i] /= sum // a constant stays itself in every phase
	}
	r.phases[phase] = taps
	return taps
}

// push takes input and appends what can be computed of the output to dst.
func (r *resampler) push(dst []float32, samples []float32) []float32 {
	for _, v := range samples {
		r.history = append(r.history, float64(v))
	}
	r.in += int64(len(samples))
	return r.drain(dst, math.MaxInt64)
}

// flush appends the rest: the output is as long as the input, to the sample.
func (r *resampler) flush(dst []float32) []float32 {
	r.history = append(r.history, make([]float64, r.half)...)
	return r.drain(dst, r.in*int64(r.up)/int64(r.down))
}

func (r *resampler) drain(dst []float32, end int64) []float32 {
	for ; r.out < end; r.out++ {
		at := r.out * int64(r.down)
		first := at/int64(r.up) - int64(r.half-1) - r.base
		taps := r.taps(at % int64(r.up))
		if first+int64(len(taps)) > int64(len(r.history)) {
			break
		}
		var sum float64
		for i, v := range r.history[first : first+int64(len(taps))] {
			sum += v * taps[i]
		}
		dst = append(dst, float32(sum))
	}
	if used := r.out*int64(r.down)/int64(r.up) - int64(r.half-1) - r.base; used > 0 {
		used = min(used, int64(len(r.history)))
		r.history = append(r.history[:0], r.history[used:]...)
		r.base += used
	}
	return dst
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the window at x, -1..1 from edge to edge; the taps' sum takes its
// height out.
func kaiser(x float64) float64 {
	if x < -1 || x > 1 {
		return 0
	}
	return bessel0(kaiserBeta * math.Sqrt(1-x*x))
}

// bessel0 is the modified Bessel function of the first kind and order zero.
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-17*sum; k++ {
		term *= x / (2 * k) * x / (2 * k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
