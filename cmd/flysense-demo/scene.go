package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flysense/crm/emulator/amocrm"
)

// The demo's integration in the emulated portal.
const (
	clientID     = "5b0d6c1e-8f3a-4a35-9d0e-0a54c1f5b1aa"
	clientSecret = "demo-secret"
	tokenLife    = 365 * 24 * time.Hour
)

// call is one of the recordings shipped with the demo and the card it hangs on.
type call struct {
	file     string // of models/demo/calls
	title    string // of the recording, in the form for a new call
	card     string
	client   string
	phone    string
	agent    string
	outgoing bool
	onLead   bool // logged in the deal too, as some telephonies do: still one call
	seconds  int
}

var calls = []call{
	{"01-sale-objection.mp3", "Продажа с возражением", "Кухня «Модерн», Химки", "Анна Белова", "+79165550101", "Ольга Смирнова", false, true, 75},
	{"02-complaint.mp3", "Жалоба", "Возврат заказа 18-204", "Игорь Лапин", "+79265554581", "Марина Яковлева", false, false, 63},
	{"03-delivery-question.mp3", "Вопрос о доставке", "Доставка, Мытищи", "Вера Котова", "+79035557715", "Илья Котов", false, false, 46},
	{"04-very-short.mp3", "Очень короткий звонок", "Монтаж окон, 3 шт.", "ООО «Вектор»", "+74955550303", "Илья Котов", true, false, 10},
	{"05-overlap.mp3", "Говорят одновременно", "Шкаф-купе 2,4 м", "Пётр Сомов", "+79855552010", "Ольга Смирнова", true, false, 40},
	{"06-long-call.mp3", "Длинный разговор", "Гарантия, стол", "Дарья Ким", "+79775551010", "Марина Яковлева", false, false, 290},
}

// scene is the emulated portal with its cards; the recordings stand under the
// same address, because the appliance lets exactly one of this machine through.
type scene struct {
	portal *amocrm.Portal
	addr   string
	server *http.Server
	leads  []amocrm.Card
	people []amocrm.Card
}

// listen prefers the given port and takes any other if it is in use.
func listen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // lives as long as the program
	if err == nil {
		return l, nil
	}
	return net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // see above
}

// play opens the portal and fills it with cards, people and recordings; the
// calls come later, when the appliance is connected and waits for new ones.
func play(assets string, redirect string) (*scene, error) {
	listener, err := listen(portalPort)
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	s := &scene{addr: listener.Addr().String()}
	s.portal = amocrm.New(amocrm.Options{Host: s.addr})
	s.portal.ServeRecordingsAt("http://" + s.addr)
	s.portal.RegisterIntegration(amocrm.Integration{ID: clientID, Secret: clientSecret, Redirect: redirect, Name: "FlySense"})

	agents := map[string]int64{}
	for _, c := range calls {
		file := filepath.Join(assets, "calls", c.file)
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("demo recording: %w", err)
		}
		s.portal.AddRecording(amocrm.Recording{Name: c.file, Title: c.title, File: file, Duration: time.Duration(c.seconds) * time.Second})
		if agents[c.agent] == 0 {
			agents[c.agent] = s.portal.AddUser(amocrm.User{Name: c.agent})
		}
		lead := s.portal.AddLead(amocrm.Lead{Name: c.card, Responsible: agents[c.agent]})
		person := s.portal.AddContact(amocrm.Contact{Name: c.client, Phones: []string{c.phone}, Responsible: agents[c.agent]})
		s.portal.Link(lead, person)
		s.leads, s.people = append(s.leads, lead), append(s.people, person)
	}

	mux := http.NewServeMux()
	mux.Handle("/rec/", s.portal.Recordings())
	mux.Handle("/", s.portal)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// ring logs the calls as the telephony would.
func (s *scene) ring() {
	for i, c := range calls {
		call := amocrm.Call{
			Outgoing: c.outgoing, Phone: c.phone, Recording: c.file,
			Duration: time.Duration(c.seconds) * time.Second,
			Uniq:     fmt.Sprintf("demo.%s", strings.TrimSuffix(c.file, ".mp3")),
		}
		s.portal.AddCall(s.people[i], call)
		if c.onLead {
			s.portal.AddCall(s.leads[i], call)
		}
	}
}
