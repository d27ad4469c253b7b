package billing

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"flysense/billing/pack"
	"flysense/internal/db"
)

// Reasons of the ledger to refuse a document, beside those of package pack.
var (
	ErrNoRequest = errors.New("the appliance made no such request")

	ErrEpoch     = pack.NewRefusal("the pack is for another epoch of the ledger", "Пакет выписан до восстановления журнала из копии. Запросите у поставщика новый.")
	ErrSerial    = pack.NewRefusal("another pack with this serial was loaded", "Пакет с таким номером уже загружен, но содержимое другое. Сообщите поставщику.")
	ErrUnasked   = pack.NewRefusal("the pack answers a request that this appliance did not make", "Пакет отвечает на запрос, которого это устройство не делало. Запросите пакет заново.")
	ErrAnswered  = pack.NewRefusal("the request of the pack was answered already", "На этот запрос пакет уже загружен. Запросите новый.")
	ErrHistory   = pack.NewRefusal("the ledger is not the one that the pack was requested from", "Журнал устройства не совпадает с тем, для которого выписан пакет. Сообщите поставщику.")
	ErrWelcomed  = pack.NewRefusal("the welcome pack was loaded already", "Приветственный пакет выдаётся один раз и уже загружен.")
	ErrOldTariff = pack.NewRefusal("a newer tariff was loaded already", "Уже действует более новый тариф. Этот загружать не нужно.")
)

// Loaded tells what a pack brought.
type Loaded struct {
	Serial string
	Amount Amount
	Kind   pack.Kind
	Order  string
	Seq    int64     // of its entry
	At     time.Time // of loading, by the clock of the time
	By     string    // who loaded it
	Again  bool      // it was loaded before and changed nothing now
}

func describe(p pack.Pack, row loadedPack) Loaded {
	return Loaded{Serial: p.Serial, Amount: Amount(p.Amount), Kind: p.Purpose(), Order: p.Order, Seq: row.entrySeq, At: row.at, By: row.by}
}

// LoadPack is the only way coins come in: a token signed by a trusted key for
// this installation. by is who loads it. Loading a pack again changes nothing.
// A pack that does not pass is a [*pack.Refusal].
func (l *Ledger) LoadPack(ctx context.Context, token, by string) (Loaded, error) {
	if err := checkTexts(by); err != nil {
		return Loaded{}, fmt.Errorf("load a pack: by whom: %w", err)
	}
	var loaded Loaded
	err := l.db.Tx(ctx, func(tx *sql.Tx) error {
		var err error
		loaded, err = l.loadPack(ctx, tx, token, by)
		return err
	})
	if err != nil {
		return Loaded{}, l.doubt(fmt.Errorf("load a pack: %w", err))
	}
	if err := l.Anchor(ctx); err != nil {
		return loaded, fmt.Errorf("the pack is loaded, but: %w", err)
	}
	return loaded, nil
}

func (l *Ledger) loadPack(ctx context.Context, tx *sql.Tx, token, by string) (Loaded, error) {
	sum := sha256.Sum256([]byte(token))
	if before, err := packByHash(ctx, tx, sum); err == nil {
		loaded, err := l.reread(before)
		loaded.Again = true
		return loaded, err
	} else if !errors.Is(err, errNoEntry) {
		return Loaded{}, err
	}
	now := l.now()
	p, _, err := l.keys.OpenPack(token, l.inst.ID(), now)
	if err != nil {
		return Loaded{}, err
	}
	if err := l.Locked(); err != nil {
		return Loaded{}, err
	}
	h, err := readHead(ctx, tx)
	if err != nil {
		return Loaded{}, err
	}
	if err := l.fits(ctx, tx, h, p); err != nil {
		return Loaded{}, err
	}
	e := Entry{Kind: Credit, Key: p.Serial, Ref: string(p.Purpose()), Amount: Amount(p.Amount), input: sum}.after(h, now)
	if err := appendEntry(ctx, tx, e); err != nil {
		return Loaded{}, err
	}
	row := loadedPack{
		serial:   p.Serial,
		sha256:   sum[:],
		entrySeq: e.Seq,
		reqSeq:   p.ReqSeq,
		kind:     string(p.Purpose()),
		token:    token,
		at:       db.Time(db.Millis(now)),
		by:       by,
	}
	return describe(p, row), insertPack(ctx, tx, row)
}

// reread believes a stored pack only if its signature does.
func (l *Ledger) reread(row loadedPack) (Loaded, error) {
	p, _, err := l.keys.OpenPack(row.token, l.inst.ID(), row.at)
	if err != nil {
		return Loaded{}, err
	}
	return describe(p, row), nil
}

// Packs lists all packs that were loaded, oldest first.
func (l *Ledger) Packs(ctx context.Context) ([]Loaded, error) {
	rows, err := allPacks(ctx, l.db.Reader)
	if err != nil {
		return nil, err
	}
	packs := make([]Loaded, 0, len(rows))
	for _, row := range rows {
		loaded, err := l.reread(row)
		if err != nil {
			return nil, fmt.Errorf("%w: pack %s: %w", ErrLocked, row.serial, err)
		}
		packs = append(packs, loaded)
	}
	return packs, nil
}

// fits checks a genuine pack against this ledger's history.
func (l *Ledger) fits(ctx context.Context, tx *sql.Tx, h head, p pack.Pack) error {
	if p.Epoch != h.epoch {
		return ErrEpoch
	}
	if _, err := entryByKey(ctx, tx, Credit, p.Serial); err == nil {
		return ErrSerial
	} else if !errors.Is(err, errNoEntry) {
		return err
	}
	welcomes, answered, err := packsOf(ctx, tx, string(pack.Welcome))
	if err != nil {
		return err
	}
	if p.Purpose() == pack.Welcome && welcomes > 0 {
		return ErrWelcomed
	}
	if !p.Bound() {
		return nil
	}
	if p.ReqSeq <= answered {
		return ErrAnswered
	}
	return l.answers(ctx, tx, p)
}

// answers checks that the pack answers a request of ours, made from this very
// ledger: a pack requested before a restore does not fit the restored one.
func (l *Ledger) answers(ctx context.Context, tx *sql.Tx, p pack.Pack) error {
	if l.asked == nil {
		return ErrUnasked
	}
	asked, err := l.asked(ctx, tx, p.ReqSeq)
	if errors.Is(err, ErrNoRequest) {
		return ErrUnasked
	} else if err != nil {
		return fmt.Errorf("find request %d: %w", p.ReqSeq, err)
	}
	request, err := p.RequestDigest()
	if err != nil {
		return err
	}
	if toDigest(request) != asked {
		return ErrUnasked
	}
	want, err := p.After.Digest()
	if err != nil {
		return err
	}
	have, err := hashAt(ctx, tx, p.After.Seq)
	if errors.Is(err, errNoEntry) || err == nil && have != toDigest(want) {
		return ErrHistory
	}
	return err
}

// LoadTariff takes a signed price list. It counts from its valid_from; a list
// older than the newest one loaded is refused. Holds keep the tariff they were
// made by.
func (l *Ledger) LoadTariff(ctx context.Context, token, by string) (Tariff, error) {
	if err := checkTexts(by); err != nil {
		return Tariff{}, fmt.Errorf("load a tariff: by whom: %w", err)
	}
	now := l.now()
	doc, err := l.keys.OpenTariff(token, l.inst.ID(), now)
	if err != nil {
		return Tariff{}, fmt.Errorf("load a tariff: %w", err)
	}
	t := signedTariff(token, doc)
	err = l.db.Tx(ctx, func(tx *sql.Tx) error {
		loaded, err := allTariffs(ctx, tx)
		if err != nil {
			return err
		}
		for _, before := range loaded {
			if before.Hash == t.Hash {
				return nil
			}
			if !before.From.Before(t.From) {
				return ErrOldTariff
			}
		}
		if len(loaded) >= maxTariffs {
			return fmt.Errorf("%d tariffs: %w", len(loaded), ErrOldTariff)
		}
		return insertTariff(ctx, tx, loadedTariff{Tariff: t, token: token, at: now, by: by})
	})
	if err != nil {
		return Tariff{}, l.doubt(fmt.Errorf("load a tariff: %w", err))
	}
	return t, nil
}
