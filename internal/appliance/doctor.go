package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"flysense/billing/pack"
	"flysense/crm"
	"flysense/internal/db"
	"flysense/models"
)

// Level grades a finding of the doctor.
type Level string

// The levels. Broken means that calls cannot be processed.
const (
	Well    Level = "well"
	Warning Level = "warning"
	Broken  Level = "broken"
)

// Finding is one answer of the doctor, in a person's words (Russian).
type Finding struct {
	Level Level  `json:"level"`
	What  string `json:"what"`
	Text  string `json:"text"`
}

// Free space below which the doctor warns and below which work stops.
const (
	warnFree   = 20 << 30
	brokenFree = 1 << 30
)

// networkFS are file systems SQLite must not live on: their locks lie.
var networkFS = map[int64]string{unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", 0xff534d42: "CIFS", 0xfe534d42: "SMB2"}

// doctorPatience is how long the speech model may take to load.
const doctorPatience = 2 * time.Minute

// Doctor looks an installation over. It changes nothing that exists and may
// run beside the server.
func Doctor(ctx context.Context, c Config, keys pack.Keyset, log *slog.Logger) []Finding {
	var findings []Finding
	say := func(level Level, what, format string, args ...any) {
		findings = append(findings, Finding{level, what, fmt.Sprintf(format, args...)})
	}
	checkDisk(c, say)
	checkData(ctx, c, keys, say)
	checkSpeech(ctx, c, log, say)
	checkListen(c, say)
	return findings
}

type sayer func(level Level, what, format string, args ...any)

func checkDisk(c Config, say sayer) {
	const what = "Диск"
	dir := c.DataDir
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir) // before the first start the folder does not exist
	}
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		say(Broken, what, "папка %s недоступна: %v", c.DataDir, err)
		return
	}
	if name, bad := networkFS[int64(s.Type)]; bad { //nolint:unconvert // the field's type differs between architectures
		say(Broken, what, "база лежит на сетевой файловой системе %s, где она может повредиться; перенесите %s на локальный диск", name, c.DataDir)
	}
	free := int64(s.Bavail) * int64(s.Bsize) //nolint:gosec,unconvert // a disk's size fits; the fields' types differ between architectures
	level := Well
	switch {
	case free < brokenFree:
		level = Broken
	case free < warnFree:
		level = Warning
	}
	text := fmt.Sprintf("свободно %d ГБ в %s", free>>30, c.DataDir)
	if level != Well {
		text += "; освободите место или уменьшите срок хранения записей (keep_audio)"
	}
	say(level, what, "%s", text)
	if info, err := os.Stat(c.DataDir); err == nil && info.Mode().Perm()&0o077 != 0 {
		say(Warning, what, "папку %s могут читать другие пользователи: chmod 700 %s", c.DataDir, c.DataDir)
	}
}

func checkData(ctx context.Context, c Config, keys pack.Keyset, say sayer) {
	path := filepath.Join(c.DataDir, "flysense.db")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		say(Warning, "База", "её ещё нет: она появится при первом запуске flysense serve")
		return
	}
	d, err := db.Open(ctx, path)
	if err != nil {
		say(Broken, "База", "не открывается: %v", err)
		return
	}
	defer d.Close() //nolint:errcheck // only read
	var verdict string
	if err := d.Reader.QueryRowContext(ctx, `PRAGMA quick_check`).Scan(&verdict); err != nil || verdict != "ok" {
		say(Broken, "База", "повреждена (%s, %v): восстановите её из копии", verdict, err)
		return
	}
	say(Well, "База", "цела")

	ledger, err := openLedger(ctx, d, c, keys, time.Now)
	switch {
	case err != nil:
		say(Broken, "Журнал баланса", "не читается: %v", err)
	case ledger.Locked() != nil:
		say(Broken, "Журнал баланса", "не сходится: %v; передайте это поставщику", ledger.Locked())
	default:
		report := ledger.Checked()
		say(Well, "Журнал баланса", "сходится, записей %d, доступно %s FC", report.Entries, report.Balance.Available)
	}
	checkConnections(ctx, d, c, say)
}

func checkConnections(ctx context.Context, d *db.DB, c Config, say sayer) {
	const what = "Подключения"
	key := filepath.Join(c.KeysDir, "master.key")
	if _, err := os.Stat(key); err != nil { // opening the hub would make a new one
		say(Broken, what, "нет ключа %s: без него сохранённые токены не прочитать; верните файл из копии ключей", key)
		return
	}
	hub, err := crm.Open(ctx, crm.Options{DB: d, KeyFile: key, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		say(Broken, what, "секреты не открываются: %v; нужен прежний ключ %s", err, key)
		return
	}
	list, err := hub.List(ctx)
	if err != nil {
		say(Broken, what, "не читаются: %v", err)
		return
	}
	if len(list) == 0 {
		say(Warning, what, "ни одного портала: добавьте его на странице «Подключения»")
	}
	for _, connection := range list {
		switch {
		case connection.State == crm.NeedsOwner:
			say(Broken, what, "%s: %s", connection.Name, connection.Problem)
		case connection.Problem != "":
			say(Warning, what, "%s: %s", connection.Name, connection.Problem)
		default:
			say(Well, what, "%s: последний опрос %s", connection.Name, connection.PolledAt.Local().Format("02.01.2006 15:04"))
		}
	}
}

func checkSpeech(ctx context.Context, c Config, log *slog.Logger, say sayer) {
	const what = "Распознавание"
	choice, err := chooseModel(c)
	if err != nil {
		say(Broken, what, "%s", models.Hint(err))
		return
	}
	if choice.State == models.Bad {
		say(Broken, what, "модель %s повреждена: установите её заново", choice.Name)
		return
	}
	if choice.Demo {
		say(Warning, what, "%s", choice.Say)
	}
	state, err := os.MkdirTemp("", "flysense-doctor-")
	if err != nil {
		say(Broken, what, "нет временной папки: %v", err)
		return
	}
	defer os.RemoveAll(state) //nolint:errcheck // best effort
	room, err := newSpeechRoomAt(c, state, log)
	if err != nil {
		say(Broken, what, "%v", err)
		return
	}
	defer room.Close() //nolint:errcheck // it ends with us
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	if _, err := room.Model(ctx); err != nil {
		say(Broken, what, "модель %s не запускается: %v", choice.Name, err)
		return
	}
	s := room.Speech()
	say(Well, what, "модель %s, вычисления %s (%s), %.1f с записи за секунду", choice.Name, s.Backend, s.Device, s.Realtime)
	if gpus, problem := room.GPUs(); len(gpus) > 0 && s.Backend == "CPU" {
		say(Warning, what, "видеокарта %s есть, но распознаёт процессор: поставьте сборку с CUDA или Vulkan", gpus[0].Name)
	} else if problem != "" {
		say(Warning, "Видеокарта", "%s", problem)
	}
}

func checkListen(c Config, say sayer) {
	const what = "Веб-сервер"
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", c.Listen)
	if err != nil {
		say(Warning, what, "адрес %s занят: если это не сам сервер FlySense, выберите другой (listen)", c.Listen)
		return
	}
	_ = l.Close()
	say(Well, what, "адрес %s свободен", c.Listen)
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && c.TLSCert == "" && !net.ParseIP(host).IsLoopback() {
		say(Warning, what, "без TLS пароль и разговоры идут по сети открыто: задайте tls_cert и tls_key")
	}
}
