// Package amocrm behaves like an amoCRM account: a server with memory that a
// client never written for it accepts.
//
// It covers what a connector of call recordings needs: OAuth and long-lived
// tokens, the account, users, pipelines, cards and their links, notes, calls
// and events, with amoCRM's paging, limits, error bodies and habits. Everything
// else is answered with a loud 501 that [Portal.Unknown] remembers; a success
// is never invented.
//
//	      ┌──────────── Portal (http.Handler) ────────────┐   ┌─ Portal.Recordings ─┐
//	api ─►│ door: moved host, block, limiter, faults      │   │ the telephony's host│
//	      │ bearer ─► route list (routes.go) ─► one mutex │   │ mp3, 404, HTML, 302 │
//	 / ──►│ pages for people, /_emulator/… (people.go)    │   └─────────────────────┘
//	      └───────────────────────────────────────────────┘
//
// State lives in memory behind one mutex; a handler is a plain function from
// that state and a request to a reply. Tests and the demo script it with the
// methods of [Portal]. Where sources disagree about the vendor, [Options] has
// a switch. Section numbers in comments are those of contracts/amocrm.md.
package amocrm
