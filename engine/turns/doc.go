// Package turns finds who speaks when, from nothing but the levels of the
// channels. It is pure: levels in, windows out.
//
// Each channel is measured against itself, because one side of a call is often
// far quieter than the other, and then against the other channel, because each
// side also hears a little of the other one:
//
//	levels ─► own noise and speech level ─► active frames (hysteresis)
//	       ─► leak of this call, per direction ─► frames that are only the other side
//	       ─► runs ─► joined over short pauses, cut where too long ─► windows in order
package turns
