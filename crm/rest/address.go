package rest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const dialTimeout = 10 * time.Second

// Allowed is an address inside the customer's network that an admin listed: a
// phone system of their own. Port 0 means any port.
type Allowed struct {
	Host string `json:"host"` // a name, an IP address, or a CIDR block
	Port int    `json:"port,omitempty"`
}

// Check reports what is wrong with the entry, nil if nothing is.
func (a Allowed) Check() error {
	if a.Port < 0 || a.Port > 65535 {
		return fmt.Errorf("port %d is outside 0..65535", a.Port)
	}
	ip, isIP := a.network()
	switch {
	case isIP && never(ip.Addr()):
		return fmt.Errorf("%s can never be allowed", a.Host)
	case isIP:
		return nil
	case a.Host == "" || len(a.Host) > 253 || strings.ContainsAny(a.Host, " /\\@?#:%[]"):
		return fmt.Errorf("%q is no host name, IP address or CIDR block", a.Host)
	}
	return nil
}

func (a Allowed) network() (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(a.Host); err == nil {
		return p, true
	}
	if ip, err := netip.ParseAddr(a.Host); err == nil && ip.Zone() == "" {
		return netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), true
	}
	return netip.Prefix{}, false
}

func (a Allowed) matches(host string, ip netip.Addr, port int) bool {
	if a.Port != 0 && a.Port != port {
		return false
	}
	if network, ok := a.network(); ok {
		return network.Contains(ip)
	}
	return strings.EqualFold(strings.TrimSuffix(a.Host, "."), strings.TrimSuffix(host, "."))
}

// Refused says that an address must not be connected to.
type Refused struct {
	Address string // host:port as asked for
	Private bool   // lies in the customer's own network: an admin may list it
}

func (e *Refused) Error() string {
	if e.Private {
		return "address " + e.Address + " is private and not listed"
	}
	return "address " + e.Address + " is forbidden"
}

// Guard decides which addresses the appliance may connect to when somebody
// else chose the name (design: reliability 5.4). It looks at the address that
// is being dialled, so a name that changes its answer gains nothing.
type Guard struct {
	// Loopback is the one exception, an IP address and port as "127.0.0.1:8085":
	// there the demo's emulator stands. Empty means none.
	Loopback string
	// Resolver answers names; nil is the system's.
	Resolver *net.Resolver
	// Own lists the appliance's own addresses; nil asks the network interfaces.
	Own func() ([]netip.Addr, error)

	// passed is told each address that got through, before it is dialled; tests
	// stop it there.
	passed func(address string) error
}

// Dialer returns a dial function that lets listed private addresses through
// and keeps everything else inside out.
func (g *Guard) Dialer(allowed []Allowed) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
		d := net.Dialer{
			Timeout:  dialTimeout,
			Resolver: g.Resolver,
			ControlContext: func(_ context.Context, network, dialled string, _ syscall.RawConn) error {
				if network != "tcp4" && network != "tcp6" {
					return &Refused{Address: address}
				}
				if err := g.check(address, host, dialled, allowed); err != nil {
					return err
				}
				if g.passed != nil {
					return g.passed(dialled)
				}
				return nil
			},
		}
		return d.DialContext(ctx, network, address)
	}
}

// check judges one dialled address; address and host are what was asked for.
func (g *Guard) check(address, host, dialled string, allowed []Allowed) error {
	at, err := netip.ParseAddrPort(dialled)
	if err != nil || at.Addr().Zone() != "" {
		return &Refused{Address: address}
	}
	ip := at.Addr().Unmap()
	if g.Loopback != "" && ip.IsLoopback() && address == g.Loopback && dialled == g.Loopback {
		return nil
	}
	if never(ip) {
		return &Refused{Address: address}
	}
	own := g.Own
	if own == nil {
		own = interfaceAddrs
	}
	mine, err := own()
	if err != nil {
		return fmt.Errorf("list own addresses: %w", err)
	}
	if slices.Contains(mine, ip) {
		return &Refused{Address: address}
	}
	if !private(ip) {
		return nil
	}
	for _, a := range allowed {
		if a.matches(host, ip, int(at.Port())) {
			return nil
		}
	}
	return &Refused{Address: net.JoinHostPort(host, strconv.Itoa(int(at.Port()))), Private: true}
}

func interfaceAddrs() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var own []netip.Addr
	for _, a := range found {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				own = append(own, ip.Unmap())
			}
		}
	}
	return own, nil
}

// forbidden blocks are never dialled, listed or not: what is reachable there
// is this machine, its neighbours by link, a cloud's metadata service, a
// transition mechanism that hides another address, or nothing at all.
var forbidden = prefixes(
	"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"100.100.100.200/32", "168.63.129.16/32", // metadata services outside link-local
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	"3fff::/20", "5f00::/16", "fd00:ec2::/32", "fe80::/10", "fec0::/10", "ff00::/8",
)

// inside blocks are the customer's network.
var inside = prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")

var globalIPv6 = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func never(ip netip.Addr) bool {
	ip = ip.Unmap()
	return within(ip, forbidden) || ip.Is6() && !globalIPv6.Contains(ip) && !private(ip)
}

func private(ip netip.Addr) bool { return within(ip, inside) }

func within(ip netip.Addr, list []netip.Prefix) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(ip) })
}
