// Package pack reads and signs the vendor's documents: packs of coins and
// tariffs. A document is a PASETO v4.public token:
//
//	v4.public.<payload and Ed25519 signature>.<footer {"kid":"k4.pid.…"}>
//
// The implicit assertion, signed but not carried, names the kind of document
// and the installation it is for ("flysense/pack/v1|FS-…"), so a document of
// one kind or of one customer never passes as another.
//
// Reading is strict, in this order: size, alphabet, key chosen by the footer
// from a trusted [Keyset] only, signature, and only then the payload, which
// must be byte for byte what this package would have written: Go's JSON reader
// alone takes {"amount":"1","AMOUNT":"999"} for 999.
//
// Which vendor keys a program trusts is decided in one function, [Release].
package pack
