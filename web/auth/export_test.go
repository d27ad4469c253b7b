package auth

// Cheap lets a test hash many passwords; the cost has tests of its own.
func (a *Auth) Cheap() { a.hasher.memory = 64 }
