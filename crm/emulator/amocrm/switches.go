package amocrm

import (
	"fmt"
	"net/http"
)

// switches are the faults a person turns on and off on the page.
type switches map[string]func() // name to what takes the fault back

// switchFault is the fault behind a name. The telephony's own switch, unsaved,
// is not among them.
func switchFault(name string) (Fault, bool) {
	f, ok := map[string]Fault{
		"down":  {Kind: Cut},
		"limit": {Route: "/api/**", Kind: TooMany},
		"error": {Route: "/api/**", Kind: Broken},
		"slow":  {Kind: Slow, Wait: slowAnswer},
		"lost":  {Route: http.MethodPost + " /api/**", Kind: Cut, WorkDone: true},
	}[name]
	return f, ok
}

// list tells the page how its switches stand.
func (s switches) list(unsaved bool) []pageSwitch {
	list := []pageSwitch{}
	for _, name := range []string{"down", "limit", "error", "slow", "lost"} {
		list = append(list, pageSwitch{name, s[name] != nil})
	}
	return append(list, pageSwitch{"unsaved", unsaved})
}

func (p *Portal) flip(name string, on bool) error {
	if name == "unsaved" {
		p.HoldRecordings(on)
		return nil
	}
	f, ok := switchFault(name)
	if !ok {
		return fmt.Errorf("нет сбоя %q", name)
	}
	unlock := p.lock()
	takeBack := p.switches[name]
	delete(p.switches, name)
	unlock()
	if takeBack != nil {
		takeBack()
	}
	if on {
		takeBack = p.Fault(f)
		unlock := p.lock()
		p.switches[name] = takeBack
		unlock()
	}
	return nil
}
