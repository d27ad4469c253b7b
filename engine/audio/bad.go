package audio

import (
	"fmt"
	"time"

	"flysense/engine"
)

func bad(code, format string, args ...any) error {
	return &engine.BadAudio{Code: code, Reason: fmt.Sprintf(format, args...)}
}

func tooLarge(limit int64) error {
	return bad("too_large", "Файл записи больше %d МБ. Сохраните разговор в MP3 или разделите его на части. Деньги не списаны.", limit>>20)
}

func tooLong(limit time.Duration) error {
	return bad("too_long", "Запись длиннее %s. Проверьте, не осталась ли линия открытой после разговора; если запись настоящая, увеличьте предел длины в настройках. Деньги не списаны.", hours(limit))
}

func hours(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%d ч", d/time.Hour)
	}
	return fmt.Sprintf("%.0f мин", d.Minutes())
}

func emptyFile() error {
	return bad("empty", "Файл записи пуст. Проверьте в АТС, что запись разговоров включена, и нажмите «Повторить». Деньги не списаны.")
}

func tooShort() error {
	return bad("empty", "Запись короче 0,1 секунды: распознавать нечего. Если разговор был, проверьте запись в АТС и нажмите «Повторить». Деньги не списаны.")
}

func damaged(what string) error {
	return bad("damaged", "Файл записи повреждён: %s. Послушайте запись в АТС; если там она звучит, нажмите «Повторить». Деньги не списаны.", what)
}

func cutShort(has, promised time.Duration) error {
	return damaged(fmt.Sprintf("в нём %s из обещанных %s", clock(has), clock(promised)))
}

func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func unsupported(format string) error {
	return bad("unsupported", "Формат записи %s пока не поддерживается. Включите в АТС сохранение разговоров в MP3 или WAV. Деньги не списаны.", format)
}

func notAudio(what string) error {
	return bad("unsupported", "По ссылке лежит не звук, а %s. Откройте ссылку из карточки: возможно, запись удалена или закрыта от чтения. Деньги не списаны.", what)
}

func tooManyChannels(n int) error {
	return bad("unsupported", "В записи %d каналов, а поддерживаются один и два. Включите в АТС стереозапись: сотрудник и клиент на своих каналах. Деньги не списаны.", n)
}

func oddRate(hz int) error {
	return bad("unsupported", "Частота записи %d Гц не поддерживается: нужна от 8000 до 96000 Гц. Измените качество записи в АТС. Деньги не списаны.", hz)
}
