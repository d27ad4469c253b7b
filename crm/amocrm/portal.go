package amocrm

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"flysense/crm"
	"flysense/crm/rest"
)

// Limits of what is remembered of a portal.
const (
	maxTitles    = 2000 // names of cards
	titleBatch   = 50   // cards asked for at once, where the account may filter
	titleSingles = 50   // cards asked for one by one in one search; the rest is named by its phone
	userPages    = 20   // 5,000 users
)

// portal is what was read of an account and may be forgotten: names for the
// screen, and where its files lie.
type portal struct {
	mu        sync.Mutex
	account   account
	readAt    time.Time
	users     map[number]string // the last known names: people leave, their calls stay
	usersAt   time.Time
	titles    map[string]*list.Element // of title
	titleUses *list.List               // the least recently used last
}

type title struct{ card, name string }

// portal returns what is known of a connection's account, read within the hour.
func (c *Connector) portal(ctx context.Context, a crm.Access) (*portal, error) {
	c.mu.Lock()
	p, ok := c.portals[a.ID]
	if !ok {
		p = &portal{users: map[number]string{}, titles: map[string]*list.Element{}, titleUses: list.New()}
		c.portals[a.ID] = p
	}
	c.mu.Unlock()

	p.mu.Lock()
	defer p.mu.Unlock()
	if now := c.options.Now(); p.readAt.IsZero() || now.Sub(p.readAt) > factsFor {
		got, err := c.readAccount(ctx, a)
		if err != nil {
			return nil, err
		}
		p.account, p.readAt = got, now
	}
	return p, nil
}

// driveHost is where the account's files lie, "" if it does not say.
func (p *portal) driveHost() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, err := url.Parse(string(p.account.DriveURL))
	if err != nil {
		return ""
	}
	return u.Host
}

// readUsers reads the names of people. Some accesses may not see them (403):
// then calls have no agent's name.
func (c *Connector) readUsers(ctx context.Context, a crm.Access, p *portal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := c.options.Now()
	if !p.usersAt.IsZero() && now.Sub(p.usersAt) <= factsFor {
		return nil
	}
	for n := 1; n <= userPages; n++ {
		var got page
		err := c.get(ctx, a, "/api/v4/users", url.Values{"limit": {strconv.Itoa(pageSize)}, "page": {strconv.Itoa(n)}}, &got)
		if rest.Status(err) == http.StatusForbidden {
			break
		} else if err != nil {
			return fmt.Errorf("read users: %w", err)
		}
		for _, u := range got.Embedded.Users {
			p.users[u.ID] = string(u.Name)
		}
		if !got.more() {
			break
		}
	}
	p.usersAt = now
	return nil
}

// agent is the name of the colleague on the phone: who is named in the call,
// else who is responsible for the note.
func (p *portal) agent(n note) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	named := string(n.Params.Responsible)
	if id, err := strconv.ParseInt(named, 10, 64); err == nil {
		if name := p.users[number(id)]; name != "" {
			return name
		}
	} else if named != "" {
		return named
	}
	return p.users[n.Responsible]
}

// readTitles makes the names of cards known. A card that has none, or too many
// cards at once, leave a call without a title; that is no reason to lose it.
func (c *Connector) readTitles(ctx context.Context, a crm.Access, p *portal, found []call) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	missing := map[string][]number{} // by route
	asked := map[string]bool{}
	for _, n := range found {
		card := n.route + "/" + n.EntityID.String()
		if _, known := p.titles[card]; !known && !asked[card] {
			asked[card] = true
			missing[n.route] = append(missing[n.route], n.EntityID)
		}
	}
	singles := titleSingles
	for route, ids := range missing {
		for len(ids) > 0 {
			n := 1
			if p.account.HasFilter {
				n = min(titleBatch, len(ids))
			} else if singles--; singles < 0 {
				break
			}
			if err := c.readTitle(ctx, a, p, route, ids[:n]); err != nil {
				return fmt.Errorf("read names of %s: %w", route, err)
			}
			ids = ids[n:]
		}
	}
	return nil
}

// readTitle reads the names of some cards of one kind. An answer that is about
// the cards and not about the connection leaves them unnamed.
func (c *Connector) readTitle(ctx context.Context, a crm.Access, p *portal, route string, ids []number) error {
	var named []entity
	var err error
	if len(ids) == 1 {
		var one entity
		err = c.get(ctx, a, "/api/v4/"+route+"/"+ids[0].String(), nil, &one)
		named = append(named, one)
	} else {
		query := url.Values{"limit": {strconv.Itoa(pageSize)}}
		for _, id := range ids {
			query.Add("filter[id][]", id.String())
		}
		var got page
		err = c.get(ctx, a, "/api/v4/"+route, query, &got)
		named = append(append(got.Embedded.Leads, got.Embedded.Contacts...), got.Embedded.Companies...)
	}
	var status *rest.StatusError
	var access *crm.AccessError
	if err != nil && (errors.As(err, &access) || !errors.As(err, &status)) {
		return err
	}
	names := map[number]string{}
	for _, e := range named {
		names[e.ID] = string(e.Name)
	}
	for _, id := range ids {
		p.remember(route+"/"+id.String(), names[id])
	}
	return nil
}

func (p *portal) remember(card, name string) {
	if e, ok := p.titles[card]; ok {
		p.titleUses.Remove(e)
	} else if p.titleUses.Len() >= maxTitles {
		oldest := p.titleUses.Remove(p.titleUses.Back()).(title)
		delete(p.titles, oldest.card)
	}
	p.titles[card] = p.titleUses.PushFront(title{card, name})
}

func (p *portal) title(n call) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.titles[n.route+"/"+n.EntityID.String()]
	if !ok {
		return ""
	}
	p.titleUses.MoveToFront(e)
	return e.Value.(title).name
}
