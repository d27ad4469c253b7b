// Package models knows the speech models the appliance can work with: what
// there is (Catalogue), what is installed (Folder.List), how a file comes in
// (Puller.Pull from a server, Folder.Import from a folder) and whether it is
// what it claims to be (Folder.Verify). It starts no speech code: a file is
// judged by its own structure and by checksums.
//
//	server ──Pull──► ggml-x.bin.part ──► inspect ──► checksum ──► rename ──► ggml-x.bin
//	folder ─Import─► ggml-x.bin.part ──────┘             │                   + receipt
//	                                               wrong: removed, said
package models
