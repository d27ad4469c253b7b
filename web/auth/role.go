package auth

// Role is what a user is for the appliance.
type Role string

// The roles.
const (
	Owner    Role = "owner"    // everything, and users, keys, restore
	Admin    Role = "admin"    // connections, prompts, packs
	Operator Role = "operator" // queue and health, no transcripts
	Auditor  Role = "auditor"  // reads the ledger and the audit
	Analyst  Role = "analyst"  // transcripts
)

// Permission is what a route asks for.
type Permission string

// The permissions.
const (
	SeeSelf           Permission = "see self"           // one's own session
	ReadCalls         Permission = "read calls"         // list, transcripts, audio
	EditCalls         Permission = "edit calls"         // correct an analysis
	RunCalls          Permission = "run calls"          // start, cancel, fetch again: costs coins
	DeleteCalls       Permission = "delete calls"       // for good
	ReadLedger        Permission = "read ledger"        // balance and operations
	LoadPacks         Permission = "load packs"         // coins come in
	ReadQueue         Permission = "read queue"         // lanes, workers, GPU
	RunQueue          Permission = "run queue"          // pause, resume
	ManageConnections Permission = "manage connections" // portals and their access
)

// permissions is the whole table of who may do what.
var permissions = map[Role][]Permission{
	Owner:    {SeeSelf, ReadCalls, EditCalls, RunCalls, DeleteCalls, ReadLedger, LoadPacks, ReadQueue, RunQueue, ManageConnections},
	Admin:    {SeeSelf, ReadCalls, EditCalls, RunCalls, DeleteCalls, ReadLedger, LoadPacks, ReadQueue, RunQueue, ManageConnections},
	Operator: {SeeSelf, ReadQueue, RunQueue},
	Auditor:  {SeeSelf, ReadLedger},
	Analyst:  {SeeSelf, ReadCalls, EditCalls},
}

// May reports whether the role has the permission.
func (r Role) May(p Permission) bool {
	for _, has := range permissions[r] {
		if has == p {
			return true
		}
	}
	return false
}

func (r Role) known() bool { return permissions[r] != nil }
