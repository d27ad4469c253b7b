package amocrm

import "time"

// Limits of requests (2.1). Zero means the vendor's value, a negative number
// no limit.
type Limits struct {
	PerToken   int // requests per second with one token; 7
	PerAccount int // requests per second in all; 50
	// Ignored is how many 429 a client may ignore, that is, follow by another
	// refused request within a second, before the account is blocked; 30.
	Ignored int
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		value *int
		usual int
	}{{&l.PerToken, 7}, {&l.PerAccount, 50}, {&l.Ignored, 30}} {
		if *f.value == 0 {
			*f.value = f.usual
		}
	}
	return l
}

type admission int

const (
	admitted admission = iota
	overLimit
	blocked
)

// limiter counts requests of the last second.
type limiter struct {
	recent  []visit
	refused time.Time // the last 429
	ignored int
	closed  bool
}

type visit struct {
	token string
	at    time.Time
}

func (l *limiter) admit(limits Limits, token string, now time.Time) admission {
	if l.closed {
		return blocked
	}
	kept, ofToken := l.recent[:0], 0
	for _, v := range l.recent {
		if now.Sub(v.at) < time.Second {
			kept = append(kept, v)
			if v.token == token {
				ofToken++
			}
		}
	}
	l.recent = kept
	over := limits.PerAccount >= 0 && len(kept) >= limits.PerAccount ||
		limits.PerToken >= 0 && token != "" && ofToken >= limits.PerToken
	if !over {
		l.recent = append(l.recent, visit{token, now})
		return admitted
	}
	if now.Sub(l.refused) < time.Second {
		l.ignored++
	} else {
		l.ignored = 0
	}
	l.refused = now
	if limits.Ignored >= 0 && l.ignored > limits.Ignored {
		l.closed = true
		return blocked
	}
	return overLimit
}

// Block closes the account for every address, the token endpoint included, as
// amoCRM does after ignored 429.
func (p *Portal) Block() { p.setBlocked(true) }

// Unblock is amoCRM's support lifting a block.
func (p *Portal) Unblock() { p.setBlocked(false) }

// Blocked reports whether the account is closed for overload.
func (p *Portal) Blocked() bool {
	defer p.lock()()
	return p.limiter.closed
}

func (p *Portal) setBlocked(closed bool) {
	defer p.lock()()
	p.limiter = limiter{closed: closed}
	p.touch()
}
