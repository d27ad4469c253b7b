package billing

import "context"

// Receipt is the money of one piece of work, all its holds together.
type Receipt struct {
	Held    Amount // by open holds
	Charged Amount
}

// maxReceipts is how many one question may be about.
const maxReceipts = 1000

// Receipts tells what the works called refs cost; of more than 1,000 only the
// first are answered. Work that was never held has none.
func (l *Ledger) Receipts(ctx context.Context, refs []string) (map[string]Receipt, error) {
	return receipts(ctx, l.db.Reader, refs[:min(len(refs), maxReceipts)])
}
