// Package web is the appliance's face: the admin pages, the JSON API under
// them, and what monitoring asks for.
//
// Read routes.go first: it lists every address once, with who may use it. A
// handler says who asks, parses, asks the part that knows, and answers;
// errors.go alone chooses the status of a refusal. ports.go says what the
// package needs of others.
//
// The pages are built from web/ui and embedded with the build tag ui.
package web
