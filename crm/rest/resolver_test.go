package rest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
)

// names is a DNS server in memory. A name with several answers gives one per
// question, in turn: that is how rebinding works.
type names struct {
	mu      sync.Mutex
	answers map[string][]string
	asked   map[string]int
}

func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe() // no packet connection: messages carry their length
		go n.serve(server)
		return client, nil
	}}
}

func (n *names) serve(c net.Conn) {
	defer c.Close()
	for {
		var size uint16
		if binary.Read(c, binary.BigEndian, &size) != nil {
			return
		}
		question := make([]byte, size)
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		answer := n.answer(question)
		if binary.Write(c, binary.BigEndian, uint16(len(answer))) != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

const (
	typeA    = 1
	typeAAAA = 28
)

func (n *names) answer(q []byte) []byte {
	end := 12
	var labels []string
	for q[end] != 0 {
		labels = append(labels, string(q[end+1:end+1+int(q[end])]))
		end += 1 + int(q[end])
	}
	kind := binary.BigEndian.Uint16(q[end+1:])
	end += 5
	a := append([]byte{}, q[:end]...)
	a[2], a[3] = 0x81, 0x80 // an answer, recursion available, no error
	binary.BigEndian.PutUint16(a[6:], 0)
	binary.BigEndian.PutUint32(a[8:], 0)
	ip, ok := n.next(strings.ToLower(strings.Join(labels, ".")), kind)
	if !ok {
		return a
	}
	binary.BigEndian.PutUint16(a[6:], 1)
	raw := ip.AsSlice()
	a = append(a, 0xc0, 12) // the name of the question
	a = binary.BigEndian.AppendUint16(a, kind)
	a = append(a, 0, 1, 0, 0, 0, 0) // IN, no time to live
	a = binary.BigEndian.AppendUint16(a, uint16(len(raw)))
	return append(a, raw...)
}

func (n *names) next(name string, kind uint16) (netip.Addr, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var fit []netip.Addr
	for _, text := range n.answers[name] {
		if ip := netip.MustParseAddr(text); ip.Is4() == (kind == typeA) && (kind == typeA || kind == typeAAAA) {
			fit = append(fit, ip)
		}
	}
	if len(fit) == 0 {
		return netip.Addr{}, false
	}
	i := n.asked[name]
	n.asked[name]++
	return fit[min(i, len(fit)-1)], true
}
