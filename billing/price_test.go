package billing

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPrice(t *testing.T) {
	for name, tt := range map[string]struct {
		length  time.Duration
		summary bool
		want    Amount
		shown   string
	}{
		"nothing":            {0, false, 225_000, "0.62"},
		"10 s":               {10 * time.Second, false, 225_000, "0.62"},
		"15 s":               {15 * time.Second, false, 225_000, "0.62"},
		"a bit more":         {15*time.Second + 1, false, 240_000, "0.66"},
		"61 s":               {61 * time.Second, false, 915_000, "2.54"},
		"61 s with summary":  {61 * time.Second, true, 1_635_000, "4.54"},
		"an hour":            {time.Hour, false, 150 * FC, "150.00"},
		"a day":              {24 * time.Hour, false, 3600 * FC, "3600.00"},
		"less than nothing":  {-time.Hour, false, 225_000, "0.62"},
		"shortest, summary":  {0, true, 945_000, "2.62"},
		"a second less 1 ns": {16*time.Second - 1, false, 240_000, "0.66"},
	} {
		if got := Base().Price(Work{tt.length, tt.summary}); got != tt.want || got.String() != tt.shown {
			t.Errorf("%s: %d units, shown %s; want %d, %s", name, got, got, tt.want, tt.shown)
		}
	}
}

// The hours that the price list promises for each size of pack.
func TestHoursOfPacks(t *testing.T) {
	for fc, want := range map[Amount]string{
		963:    "6 ч 25 мин",
		1000:   "6 ч 40 мин",
		3000:   "20 ч",
		5000:   "33 ч 20 мин",
		10_000: "66 ч 40 мин",
		30_000: "200 ч",
		50_000: "333 ч 20 мин",
		2:      "0 мин",
	} {
		if got := Hours(Base().Time(fc * FC)); got != want {
			t.Errorf("%d FC: %s, want %s", fc, got, want)
		}
	}
	if got := Base().Time(963 * FC); got != 6*time.Hour+25*time.Minute+12*time.Second {
		t.Errorf("963 FC: %v", got)
	}
	if got := Base().Time(-FC); got != 0 {
		t.Errorf("a debt buys %v", got)
	}
}

// A12: every tenth of a second up to a day costs what the formula says, the
// price never falls, and it stays exact in JavaScript.
func TestEveryLength(t *testing.T) {
	var before Amount
	for tenths := int64(1); tenths <= 864_000; tenths++ {
		seconds := tenths / 10
		if tenths%10 != 0 {
			seconds++
		}
		if seconds < 15 {
			seconds = 15
		}
		got := Base().Speech(time.Duration(tenths) * time.Second / 10)
		if got != Amount(seconds*15_000) || got < before || got >= 1<<53 {
			t.Fatalf("%d tenths of a second cost %d units", tenths, got)
		}
		before = got
	}
}

// The sum of a million charges is rate times billed seconds, to the unit.
func TestMillionCallsAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var sum Amount
	var seconds int64
	for range 1_000_000 {
		n := random.Int64N(3600) + 1
		sum += Base().Speech(time.Duration(n)*time.Second - time.Duration(random.Int64N(int64(time.Second))))
		seconds += max(n, 15)
	}
	if sum != Amount(seconds)*FC/24 {
		t.Errorf("%d units for %d s", sum, seconds)
	}
}

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]Amount{
		"0": 0, "1": FC, "963.00": 963 * FC, "0.01": 3600, "0.5": FC / 2, "-2.25": -(2*FC + FC/4), "007": 7 * FC, "50000": 50_000 * FC,
	} {
		if got, err := ParseAmount(text); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", ".", "1.", ".5", "1.234", "1,5", "+1", "1e3", " 1", "1 ", "0x1", "--1", "1.-5", "٣", "99999999999999999999", "25620477880152.16"} {
		if got, err := ParseAmount(text); !errors.Is(err, ErrAmount) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	if got := Amount(-1).String(); got != "-0.01" {
		t.Errorf("a debt of one unit is shown as %s", got)
	}
}

// P12: what is shown is read back as the amount rounded down to 0.01 FC, and
// JSON carries every unit.
func TestAmountTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Amount(rapid.Int64Range(-1<<62, 1<<62).Draw(t, "amount"))
		shown, err := ParseAmount(a.String())
		if err != nil || shown > a || a-shown >= 3600 || shown%3600 != 0 {
			t.Fatalf("%d is shown as %s, read as %d, %v", a, a, shown, err)
		}
		data, err := json.Marshal(a)
		var back Amount
		if err != nil || data[0] != '"' || json.Unmarshal(data, &back) != nil || back != a {
			t.Fatalf("%d in JSON: %s, %v", a, data, err)
		}
	})
}

// P5: the price rises with the length, never under the minimum, and two parts
// cost at least the whole.
func TestPriceProperties(t *testing.T) {
	length := rapid.Int64Range(0, int64(24*time.Hour))
	rapid.Check(t, func(t *rapid.T) {
		a, b := time.Duration(length.Draw(t, "a")), time.Duration(length.Draw(t, "b"))
		base := Base()
		if a <= b && base.Speech(a) > base.Speech(b) {
			t.Fatalf("%v costs more than %v", a, b)
		}
		if base.Speech(a) < 225_000 || base.Speech(a+b) > base.Speech(a)+base.Speech(b) {
			t.Fatalf("%v and %v", a, b)
		}
		if a = a.Truncate(time.Second); a >= base.Minimum && base.Time(base.Speech(a)) != a {
			t.Fatalf("the price of %v buys %v", a, base.Time(base.Speech(a)))
		}
	})
}
