package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"flysense/billing"
	"flysense/billing/pack"
	"flysense/crm"
	"flysense/engine"
	"flysense/engine/store"
	"flysense/web/auth"
)

// refusal is an answer that is not what was asked for.
type refusal struct {
	status  int
	code    string
	message string // Russian, says what to do
	wait    time.Duration
}

// Refused is the body of every refusal.
type Refused struct {
	Error struct {
		Code    string `json:"code" doc:"one word for programs"`
		Message string `json:"message" doc:"what happened and what to do, in Russian"`
	} `json:"error"`
}

func (r *refusal) body() Refused {
	var b Refused
	b.Error.Code, b.Error.Message = r.code, r.message
	return b
}

// Error, GetStatus, GetHeaders and MarshalJSON let huma send a refusal.

func (r *refusal) Error() string { return r.code }

// GetStatus implements huma.StatusError.
func (r *refusal) GetStatus() int { return r.status }

// GetHeaders implements huma.HeadersError.
func (r *refusal) GetHeaders() http.Header {
	h := http.Header{}
	if r.wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(r.wait.Seconds()))))
	}
	return h
}

// MarshalJSON sends the body only.
func (r *refusal) MarshalJSON() ([]byte, error) { return json.Marshal(r.body()) }

// Refusals that no other package knows.
var (
	errNoRoute     = &refusal{status: http.StatusNotFound, code: "not_found", message: "Такого адреса нет. Проверьте его или вернитесь на главную страницу."}
	errMethod      = &refusal{status: http.StatusMethodNotAllowed, code: "method", message: "Этот адрес так не вызывают. Описание API: /api."}
	errForbidden   = &refusal{status: http.StatusForbidden, code: "forbidden", message: "У вашей роли нет прав на это действие. Обратитесь к владельцу."}
	errCrossOrigin = &refusal{status: http.StatusForbidden, code: "cross_origin", message: "Запрос пришёл с чужого сайта и отклонён. Откройте FlySense напрямую и повторите."}
	errStreams     = &refusal{status: http.StatusServiceUnavailable, code: "busy", message: "Открыто слишком много страниц. Закройте лишние и обновите эту.", wait: time.Minute}
	errNoAudio     = &refusal{status: http.StatusGone, code: "audio_gone", message: "Срок хранения аудио истёк. Нажмите «Загрузить аудио снова», чтобы взять его из источника."}
	errFormat      = &refusal{status: http.StatusNotFound, code: "not_found", message: "Такого формата нет. Есть txt, json, srt и vtt."}
)

// refusalOf alone decides how an error is answered. What it does not know is
// our own fault.
func refusalOf(err error) *refusal {
	var (
		own     *refusal
		locked  *auth.Locked
		unfit   *auth.Unfit
		badEdit *engine.BadEdit
		invalid *crm.Invalid
		access  *crm.AccessError
		refused *pack.Refusal
		tooBig  *http.MaxBytesError
	)
	hint, person := engine.OwnerHint(err)
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, auth.ErrNoSession):
		return &refusal{status: http.StatusUnauthorized, code: "login", message: "Войдите, чтобы продолжить."}
	case errors.Is(err, auth.ErrSetup):
		return &refusal{status: http.StatusUnauthorized, code: "setup", message: "Администратора ещё нет. Введите код первого запуска: он в консоли или журнале сервера."}
	case errors.Is(err, auth.ErrSetupDone):
		return &refusal{status: http.StatusConflict, code: "setup_done", message: "Администратор уже создан. Войдите с его логином и паролем."}
	case errors.Is(err, auth.ErrCode):
		return &refusal{status: http.StatusUnprocessableEntity, code: "code", message: "Код первого запуска не подошёл. Возьмите его из консоли или журнала сервера: после перезапуска он новый."}
	case errors.Is(err, auth.ErrLogin):
		return &refusal{status: http.StatusUnauthorized, code: "credentials", message: "Логин или пароль не подошли. Проверьте раскладку и попробуйте ещё раз."}
	case errors.Is(err, auth.ErrTaken):
		return &refusal{status: http.StatusConflict, code: "taken", message: "Такой логин уже есть. Выберите другой."}
	case errors.As(err, &locked):
		return &refusal{status: http.StatusTooManyRequests, code: "locked", wait: locked.Wait,
			message: "Слишком много попыток входа. Подождите " + inWords(locked.Wait) + " и попробуйте снова."}
	case errors.As(err, &unfit):
		return &refusal{status: http.StatusUnprocessableEntity, code: "unfit", message: unfit.Reason}
	case errors.As(err, &badEdit):
		return &refusal{status: http.StatusUnprocessableEntity, code: "bad_edit", message: badEdit.Reason}
	case errors.Is(err, engine.ErrBusy):
		return &refusal{status: http.StatusConflict, code: "busy", message: "Звонок сейчас обрабатывается. Дождитесь окончания или отмените обработку."}
	case errors.Is(err, engine.ErrAudioGone):
		return errNoAudio
	case errors.As(err, &invalid):
		return &refusal{status: http.StatusUnprocessableEntity, code: "invalid_" + invalid.Field, message: invalid.Message}
	case errors.As(err, &access):
		return &refusal{status: http.StatusConflict, code: "portal", message: access.Hint, wait: access.Wait}
	case person:
		return &refusal{status: http.StatusConflict, code: "portal", message: hint}
	case errors.As(err, &refused):
		return &refusal{status: http.StatusUnprocessableEntity, code: "pack", message: refused.Hint()}
	case errors.Is(err, billing.ErrLocked):
		return &refusal{status: http.StatusServiceUnavailable, code: "ledger", message: "Журнал операций не сходится, платная работа остановлена. Сообщите поставщику."}
	case errors.Is(err, store.ErrCursor):
		return &refusal{status: http.StatusUnprocessableEntity, code: "cursor", message: "Список устарел. Обновите страницу."}
	case errors.Is(err, engine.ErrNotFound):
		return &refusal{status: http.StatusNotFound, code: "not_found", message: "Этого здесь больше нет: возможно, удалено. Обновите страницу."}
	case errors.As(err, &tooBig):
		return &refusal{status: http.StatusRequestEntityTooLarge, code: "too_large", message: fmt.Sprintf("Запрос больше %d КБ. Сократите его.", tooBig.Limit>>10)}
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{status: http.StatusGatewayTimeout, code: "timeout", message: "Ответа нет слишком долго. Проверьте сеть до портала и попробуйте ещё раз."}
	}
	return &refusal{status: http.StatusInternalServerError, code: "internal",
		message: "На сервере произошла ошибка. Попробуйте ещё раз; если повторится, пришлите журнал поставщику."}
}

// inWords tells a wait, rounded up.
func inWords(wait time.Duration) string {
	if wait <= time.Minute {
		return fmt.Sprintf("%d с", int(math.Ceil(wait.Seconds())))
	}
	return fmt.Sprintf("%d мин", int(math.Ceil(wait.Minutes())))
}

// refuse logs what is our own fault and returns how err is answered.
func (s *Server) refuse(ctx context.Context, route string, err error) *refusal {
	r := refusalOf(err)
	if r.status >= http.StatusInternalServerError && ctx.Err() == nil {
		s.log.Error("request failed", "route", route, "err", err)
	}
	return r
}

// writeError answers a request that is not served through huma.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	refused := s.refuse(r.Context(), r.Method+" "+pattern(r), err)
	for name, values := range refused.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Del("Content-Disposition")
	w.WriteHeader(refused.status)
	_ = json.NewEncoder(w).Encode(refused.body())
}

// ownWords turns huma's English refusal of a request that does not fit the
// description into ours.
func ownWords(ctx huma.Context, _ string, body any) (any, error) {
	model, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	ctx.SetHeader("Content-Type", "application/json")
	own := &refusal{status: model.Status, code: "bad_request", message: "Запрос составлен неверно. Обновите страницу и попробуйте ещё раз; описание API: /api."}
	switch model.Status {
	case http.StatusRequestEntityTooLarge:
		own = refusalOf(&http.MaxBytesError{Limit: maxBody})
	case http.StatusUnsupportedMediaType:
		own.message = "Запрос должен быть в формате JSON (Content-Type: application/json)."
	}
	var fields []string
	for _, d := range model.Errors {
		if field := strings.TrimPrefix(strings.TrimPrefix(d.Location, "body"), "."); field != "" {
			fields = append(fields, field)
		}
	}
	if len(fields) > 0 {
		own.code = "invalid"
		own.message = "Проверьте, что заполнено верно: " + strings.Join(fields, ", ") + "."
	}
	return own.body(), nil
}
