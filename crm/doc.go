// Package crm keeps the connections to customers' portals and lets the engine
// see all of them as one [Hub].
//
//	engine ──► Hub ──► Connector (crm/amocrm, …) ──► crm/rest ──► portal
//	            │
//	            └── Connection: state, settings, sealed secrets, history
//
// The states of a connection:
//
//	created without code ──► needs_owner ◄── access revoked (AccessError)
//	                             │  ▲
//	  code, token, consent page  ▼  │
//	created with a code ───────► active ◄──► off   (an admin)
//
// In needs_owner and off nothing is asked of the portal. An account that is
// not paid or has locked us out leaves the connection active but paused: its
// Problem says why, PausedUntil when it is tried again.
package crm
