// Package billing is the wallet: a double-entry ledger of Flycoins that works
// without a network.
//
// Money moves between four accounts and is never made here:
//
//	          pack (signed by the vendor)        hold
//	issued ───────────────────────────► available ──► held ──► spent
//	                                        ▲          │  capture
//	                                        └──────────┘
//	                                           release
//
// A hold reserves the full price of a piece of work. It ends once: captured
// (what was done is spent, the rest released in the same transaction) or
// released. The caller's key names the work: asking again with the same key
// and the same input changes nothing, so a step that crashed may simply run
// again.
//
// Entries are only ever added; each carries the hash of the one before.
// [Ledger.Verify] proves the chain, the balances, the prices and the vendor's
// signatures. A ledger that does not prove is locked: it takes no new holds.
package billing
