package amocrm

import (
	"errors"
	"strconv"
)

const (
	defaultPage   = 50
	maxPage       = 250
	maxEventsPage = 100
	maxBatch      = 250 // elements of one write
)

// page cuts one page out of items. Larger limits are clamped (unverified, 8
// point 12). A page past the end is 204.
func page[T any](r *request, name string, items []T, most int, total bool, render func(T) object) reply {
	limit, err := number(r.query.one("limit"), defaultPage)
	if err != nil {
		return badArgument("limit")
	}
	number, err := number(r.query.one("page"), 1)
	if err != nil {
		return badArgument("page")
	}
	limit = min(limit, most)
	from := (number - 1) * limit
	if from >= len(items) {
		return nothing()
	}
	to := min(from+limit, len(items))
	list := make([]object, 0, to-from)
	for _, item := range items[from:to] {
		list = append(list, render(item))
	}
	links := object{"self": href(r.self(strconv.Itoa(number)))}
	if to < len(items) {
		links["next"] = href(r.self(strconv.Itoa(number + 1)))
	}
	body := object{"_page": number, "_links": links, "_embedded": object{name: list}}
	if total {
		body["_total_items"] = len(items)
		body["_page_count"] = (len(items) + limit - 1) / limit
	}
	return hal(body)
}

func href(address string) object { return object{"href": address} }

func selfLink(address string) object { return object{"self": href(address)} }

func badArgument(name string) reply {
	return invalid([]complaint{{"0", "InvalidType", name, "This value is not valid."}})
}

// number reads a positive argument. The upper bound keeps page*limit an int.
func number(text string, fallback int) (int, error) {
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, errors.New("not positive")
	}
	return int(n), nil
}
