package amocrm

import (
	"net/http"
	"strings"
)

// User is an employee of the account.
type User struct {
	ID      int64 // 0: given by AddUser
	Name    string
	Email   string
	Admin   bool
	Blocked bool // switched off by the administrator
}

// AddUser hires an employee and returns the id.
func (p *Portal) AddUser(u User) int64 {
	defer p.lock()()
	if u.ID == 0 {
		u.ID = p.nextID("user")
	}
	p.users = append(p.users, u)
	p.touch()
	return u.ID
}

// SignIn puts a user at the keyboard: consent and tokens given from now on are
// theirs and have their rights.
func (p *Portal) SignIn(userID int64) {
	defer p.lock()()
	p.me = userID
}

// Users lists the employees.
func (p *Portal) Users() []User {
	defer p.lock()()
	return append([]User(nil), p.users...)
}

func (p *Portal) user(id int64) (User, bool) {
	for _, u := range p.users {
		if u.ID == id {
			return u, true
		}
	}
	return User{}, false
}

// account is GET /api/v4/account (2.4).
func (p *Portal) account(r *request) reply {
	body := object{
		"id": p.opt.AccountID, "name": p.opt.Name, "subdomain": p.subdomain, "current_user_id": r.token.user, "country": "RU",
		"created_at": int64(1577836800), "created_by": 0, "updated_at": int64(1577836800), "updated_by": 0,
		"customers_mode": "disabled", "is_unsorted_on": true, "is_loss_reason_enabled": true, "is_helpbot_enabled": false,
		"is_technical_account": false, "contact_name_display_order": 1,
		"_links": selfLink(r.base + "/api/v4/account"),
	}
	embedded := object{}
	for _, extra := range r.query.list("with") {
		switch extra {
		case "version":
			body["version"] = 16
		case "drive_url":
			body["drive_url"] = p.opt.DriveURL
		case "is_api_filter_enabled":
			body["is_api_filter_enabled"] = p.opt.FilterAddOn
		case "uuid":
			body["uuid"] = p.uuid
		case "users_groups":
			embedded["users_groups"] = []object{{"id": 0, "name": "Отдел продаж", "uuid": nil}}
		case "task_types":
			embedded["task_types"] = []object{
				{"id": 1, "name": "Связаться", "color": nil, "icon_id": nil, "code": "FOLLOW_UP"},
				{"id": 2, "name": "Встреча", "color": nil, "icon_id": nil, "code": "MEETING"},
			}
		case "datetime_settings":
			embedded["datetime_settings"] = object{
				"date_pattern": "d.m.Y H:i", "short_date_pattern": "d.m.Y", "short_time_pattern": "H:i",
				"date_formant": "d.m.Y", "time_format": "H:i:s", "timezone": "Europe/Moscow", "timezone_offset": "+03:00",
			}
		default:
			return p.notBuilt(r, "account with="+extra)
		}
	}
	if len(embedded) > 0 {
		body["_embedded"] = embedded
	}
	if extra := r.query.stranger("with"); extra != "" {
		return p.notBuilt(r, "argument "+extra)
	}
	return hal(body)
}

// owner is GET /v3/user, which the vendor's client still calls.
func (p *Portal) owner(r *request) reply {
	u, _ := p.user(r.token.user)
	return jsonReply(http.StatusOK, plainJSON, object{"id": u.ID, "name": u.Name, "email": u.Email})
}

// listUsers is GET /api/v4/users, for administrators only (2.7).
func (p *Portal) listUsers(r *request) reply {
	if !p.isAdmin(r) {
		return forbidden()
	}
	if extra := r.query.stranger("with", "page", "limit"); extra != "" {
		return p.notBuilt(r, "argument "+extra)
	}
	return page(r, "users", p.users, maxPage, true, func(u User) object { return u.json(r) })
}

func (p *Portal) oneUser(r *request) reply {
	if !p.isAdmin(r) {
		return forbidden()
	}
	u, ok := p.user(r.id)
	if !ok {
		return problem(http.StatusNotFound, "Not Found", "User not found")
	}
	return hal(u.json(r))
}

func (u User) json(r *request) object {
	all := object{"view": "A", "edit": "A", "add": "A", "delete": "A", "export": "A"}
	user := object{
		"id": u.ID, "name": u.Name, "email": u.Email, "lang": "ru",
		"rights": object{
			"leads": all, "contacts": all, "companies": all, "tasks": object{"edit": "A", "delete": "A"},
			"mail_access": false, "catalog_access": false, "is_admin": u.Admin, "is_free": false, "is_active": !u.Blocked,
			"group_id": nil, "role_id": nil, "status_rights": []object{},
		},
		"_links": selfLink(r.base + "/api/v4/users/" + decimal(u.ID)),
	}
	embedded := object{}
	for _, extra := range r.query.list("with") {
		switch extra {
		case "role":
			embedded["roles"] = []object{}
		case "group":
			embedded["groups"] = []object{{"id": 0, "name": "Отдел продаж"}}
		}
	}
	if len(embedded) > 0 {
		user["_embedded"] = embedded
	}
	return user
}

func (p *Portal) isAdmin(r *request) bool {
	u, ok := p.user(r.token.user)
	return ok && u.Admin
}

func forbidden() reply {
	return problem(http.StatusForbidden, "Forbidden", "Недостаточно прав")
}

// Ids of the one pipeline and its statuses (2.6). Won and Lost are the same
// in every pipeline.
const (
	PipelineID    int64 = 6120000
	StatusNew     int64 = 61200001
	StatusTalking int64 = 61200002
	StatusInvoice int64 = 61200003
	StatusWon     int64 = 142
	StatusLost    int64 = 143
)

type status struct {
	id   int64
	name string
	kind int
}

func statuses() []status {
	return []status{
		{61200000, "Неразобранное", 1},
		{StatusNew, "Первичный контакт", 0},
		{StatusTalking, "Переговоры", 0},
		{StatusInvoice, "Счёт выставлен", 0},
		{StatusWon, "Успешно реализовано", 0},
		{StatusLost, "Закрыто и не реализовано", 0},
	}
}

func statusName(id int64) string {
	for _, s := range statuses() {
		if s.id == id {
			return s.name
		}
	}
	return ""
}

func (p *Portal) pipeline(r *request) object {
	list := []object{}
	for i, s := range statuses() {
		list = append(list, object{
			"id": s.id, "name": s.name, "sort": (i + 1) * 10, "is_editable": s.kind == 0 && s.id > StatusLost,
			"pipeline_id": PipelineID, "color": "#e6e8ea", "type": s.kind, "account_id": p.opt.AccountID,
			"_links": selfLink(strings.Join([]string{r.base, "api/v4/leads/pipelines", decimal(PipelineID), "statuses", decimal(s.id)}, "/")),
		})
	}
	return object{
		"id": PipelineID, "name": "Воронка", "sort": 1, "is_main": true, "is_unsorted_on": true, "is_archive": false,
		"account_id": p.opt.AccountID, "_links": selfLink(r.base + "/api/v4/leads/pipelines/" + decimal(PipelineID)),
		"_embedded": object{"statuses": list},
	}
}

func (p *Portal) listPipelines(r *request) reply {
	return hal(object{
		"_total_items": 1, "_links": selfLink(r.self("")),
		"_embedded": object{"pipelines": []object{p.pipeline(r)}},
	})
}

func (p *Portal) onePipeline(r *request) reply {
	if r.id != PipelineID {
		return problem(http.StatusNotFound, "Not Found", "Pipeline not found")
	}
	return hal(p.pipeline(r))
}
