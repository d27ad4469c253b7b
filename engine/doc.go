// Package engine says what a call is and what happens to it.
//
// A call goes through five steps. Each one is a job in a lane, reads its input
// from the [Store], does one thing, and leaves its result, the next job and the
// money in one transaction:
//
//	          ┌────────┐  ┌───────┐  ┌────────────┐  ┌─────────┐  ┌─────────┐
//	portal ──►│ detect │─►│ fetch │─►│ transcribe │─►│ analyse │─►│ deliver │──► portal
//	          └────────┘  └───────┘  └────────────┘  └─────────┘  └─────────┘
//	             net         net     speech, Hold    llm, Capture     net
//
// The states of a call (see [State]):
//
//	found ──start──► queued ◄──────────────► running ──► … ──► done
//	                  ▲   ▲                     │
//	 top-up, by hand  │   │ link appears        ├─► no_funds      wallet is empty
//	                  │   └───── waiting ◄──────┤                 the telephony has not saved the file yet
//	                  ├───────── needs_owner ◄──┤                 a person must act, the hint says how
//	                  └── by hand ──────────────┴─► failed, quarantined, cancelled   (hold released)
//
// Read engine.go first, then detect.go, fetch.go, transcribe.go, analyse.go and
// deliver.go: that is the way a call takes. ports.go says what the engine needs
// of others. The package imports nothing of ours.
package engine
