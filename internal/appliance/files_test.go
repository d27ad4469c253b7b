package appliance_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"flysense/billing"
	"flysense/crm/emulator/amocrm"
	"flysense/engine"
	"flysense/engine/store"
)

// silentMP3 makes an 8 kHz mono MP3 of frames without sound: a small file of
// any length.
func silentMP3(length time.Duration) []byte {
	const frameTime = 72 * time.Millisecond // 576 samples
	frame := make([]byte, 72)               // 8 kbit/s
	copy(frame, []byte{0xff, 0xe3, 0x18, 0xc0})
	return bytes.Repeat(frame, int(length/frameTime))
}

// tone makes samples that are no silence.
func tone(seconds float64) []int16 {
	samples := make([]int16, int(seconds*8000))
	for i := range samples {
		samples[i] = int16(8000 * (i%8/4*2 - 1))
	}
	return samples
}

// Whatever the telephony hands over, the call ends with a sentence that says
// what to do, and costs only what was recognised.
func TestBadRecordings(t *testing.T) {
	mp3, err := os.ReadFile(short)
	if err != nil {
		t.Fatal(err)
	}
	const perSecond = 15_000
	for name, tt := range map[string]struct {
		file   string
		data   []byte
		answer amocrm.Answer
		old    bool // two days ago, found in the archive
		state  engine.State
		says   string
		spent  billing.Amount
	}{
		"damaged":             {file: "a.mp3", data: append(bytes.Clone(mp3[:200]), bytes.Repeat([]byte{0x55}, len(mp3)-200)...), state: engine.Failed, says: "не звук"},
		"half is missing":     {file: "a.mp3", data: mp3[:len(mp3)/2], state: engine.Failed, says: "поврежд"},
		"no bytes":            {file: "a.mp3", answer: amocrm.Empty, old: true, state: engine.Failed, says: "Записи нет"},
		"a page":              {file: "a.mp3", answer: amocrm.LoginPage, old: true, state: engine.Failed, says: "Записи нет"},
		"404":                 {file: "a.mp3", answer: amocrm.NotFound, old: true, state: engine.Failed, says: "Записи нет"},
		"404 at first":        {file: "a.mp3", answer: amocrm.NotFound, state: engine.Waiting, says: "ещё не сохранила"},
		"no samples":          {file: "a.wav", data: wav(8000, 1, nil), state: engine.Failed, says: "короче 0,1 секунды"},
		"0.05 s":              {file: "a.wav", data: wav(8000, 1, tone(0.05)), state: engine.Failed, says: "короче 0,1 секунды"},
		"not audio":           {file: "a.mp3", data: []byte("%PDF-1.7 " + strings.Repeat("не звук ", 500)), state: engine.Failed, says: "не звук"},
		"silence, 4 hours":    {file: "a.mp3", data: silentMP3(4*time.Hour - time.Minute), state: engine.Failed, says: "нет речи"},
		"longer than 4 hours": {file: "a.mp3", data: silentMP3(5 * time.Hour), state: engine.Failed, says: "длинн"},
		"another suffix":      {file: "a.wav", data: mp3, state: engine.Done, says: "расширением", spent: 15 * perSecond},
		"the end is missing":  {file: "a.mp3", data: mp3[:len(mp3)*95/100], state: engine.Done, says: "обрывается", spent: 15 * perSecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPortal(t, amocrm.Options{})
			p.AddRecording(amocrm.Recording{Name: tt.file, Data: tt.data, Answer: tt.answer})
			s := newStage(t, p)
			s.topUp(1000)
			c := s.connect()
			call := amocrm.Call{Recording: tt.file, Duration: 10 * time.Second, At: time.Now()}
			if tt.old {
				call.At = call.At.Add(-48 * time.Hour)
			}
			p.AddCall(p.card, call)
			if tt.old { // logged before the connection: the archive
				if err := s.StartArchive(s.ctx, "test", c.ID, call.At.Add(-time.Hour), time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			rows := s.until("the end", func(rows []store.Row) bool { return len(rows) == 1 && rows[0].State == tt.state })
			if said := rows[0].Problem + rows[0].Remark; !strings.Contains(said, tt.says) {
				t.Errorf("says %q, want %q in it", said, tt.says)
			}
			if balance, err := s.Ledger.Balance(s.ctx); err != nil || balance.Spent != tt.spent || balance.Held != 0 {
				t.Errorf("spent %d, held %d, %v; want %d", balance.Spent, balance.Held, err, tt.spent)
			}
			s.sound()
			p.clean()
		})
	}
}
