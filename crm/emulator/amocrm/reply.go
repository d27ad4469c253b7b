package amocrm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	halJSON     = "application/hal+json"
	problemJSON = "application/problem+json"
	plainJSON   = "application/json"
	htmlPage    = "text/html; charset=utf-8"
)

// object is a JSON object of the vendor.
type object map[string]any

// reply is an answer that has not been sent yet.
type reply struct {
	status int
	kind   string // Content-Type
	body   []byte

	retryAfter time.Duration // 0: no such header
}

func (a reply) write(w http.ResponseWriter) {
	if a.kind != "" {
		w.Header().Set("Content-Type", a.kind)
	}
	if a.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(a.retryAfter/time.Second)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client has gone; nobody is left to tell
}

// writeHalf announces the whole body and sends half of it.
func (a reply) writeHalf(w http.ResponseWriter) {
	if len(a.body) == 0 {
		return // there is no half of nothing
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body[:len(a.body)/2])
	_ = http.NewResponseController(w).Flush() // without it the half would stay in the buffer
}

func jsonReply(status int, kind string, body any) reply {
	data, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("amocrm emulator: marshal own answer: %v", err))
	}
	return reply{status: status, kind: kind, body: data}
}

// hal is the answer of a success.
func hal(body any) reply { return jsonReply(http.StatusOK, halJSON, body) }

// nothing is amoCRM's 204: no match, a page past the end, a missing card.
func nothing() reply { return reply{status: http.StatusNoContent} }

func problem(status int, title, detail string) reply {
	return jsonReply(status, problemJSON, problemBody(title, status, detail))
}

func problemBody(title string, status int, detail string) object {
	return object{"title": title, "type": fmt.Sprintf("https://httpstatus.es/%d", status), "status": status, "detail": detail}
}

func unauthorized() reply {
	return problem(http.StatusUnauthorized, "Unauthorized", "Неверный логин или пароль")
}

// complaint is one failed check of one element of a batch.
type complaint struct {
	requestID, code, path, detail string
}

// invalid answers a batch of which nothing was done.
func invalid(complaints []complaint) reply {
	list := []object{}
	for _, c := range complaints {
		list = append(list, object{
			"request_id": c.requestID,
			"errors":     []object{{"code": c.code, "path": c.path, "detail": c.detail}},
		})
	}
	body := problemBody("Bad Request", http.StatusBadRequest, "Request validation failed")
	body["validation-errors"] = list
	return jsonReply(http.StatusBadRequest, problemJSON, body)
}

// tooMany is the 429: not JSON, and without Retry-After (8, point 1).
func tooMany() reply {
	return reply{status: http.StatusTooManyRequests, kind: "text/plain; charset=utf-8", body: []byte("Too Many Requests\n")}
}

// nginx is a page of the servers in front of amoCRM.
func nginx(status int) reply {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	page := "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
	return reply{status: status, kind: "text/html", body: []byte(page)}
}
