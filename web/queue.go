package web

import (
	"context"

	"flysense/crm"
	"flysense/engine"
	"flysense/engine/queue"
)

// Queue is what the operator's page shows.
type Queue struct {
	Paused     bool        `json:"paused"`
	Lanes      []Lane      `json:"lanes" nullable:"false"`
	Groups     []Group     `json:"groups" nullable:"false"`
	Working    []Working   `json:"working" nullable:"false"`
	People     []Person    `json:"people" nullable:"false" doc:"what waits for a person"`
	Speech     SpeechState `json:"speech"`
	GPUs       []GPUState  `json:"gpus" nullable:"false"`
	GPUProblem string      `json:"gpuProblem"`
}

// Lane is a lane's load.
type Lane struct {
	Name          string  `json:"name" enum:"net,speech,llm"`
	Waiting       int     `json:"waiting"`
	Running       int     `json:"running"`
	OldestSeconds float64 `json:"oldestSeconds"`
	AudioSeconds  float64 `json:"audioSeconds"`
}

// Group is what waits with one priority.
type Group struct {
	Priority     int      `json:"priority" doc:"1 asked by hand, 2 short, 3 automatic, 4 archive"`
	Waiting      int      `json:"waiting"`
	AudioSeconds float64  `json:"audioSeconds"`
	ETASeconds   *float64 `json:"etaSeconds" doc:"until the last of the group is done"`
}

// Working is a job that runs.
type Working struct {
	CallID     string   `json:"callId"`
	Title      string   `json:"title"`
	Step       string   `json:"step"`
	Seconds    float64  `json:"seconds"`
	Done       int      `json:"done"`
	Total      int      `json:"total"`
	Since      int64    `json:"since"`
	ETASeconds *float64 `json:"etaSeconds"`
}

// Person is something only a person can move on.
type Person struct {
	Kind    string `json:"kind" enum:"call,connection"`
	ID      string `json:"id"`
	Title   string `json:"title"`
	Problem string `json:"problem"`
	State   string `json:"state"`
}

// SpeechState is the state of the speech worker.
type SpeechState struct {
	State     string   `json:"state" enum:"starting,ready,busy,down"`
	Model     string   `json:"model"`
	Demo      bool     `json:"demo"`
	Backend   string   `json:"backend"`
	Device    string   `json:"device"`
	Realtime  float64  `json:"realtime" doc:"seconds of audio per second"`
	Restarts  int      `json:"restarts"`
	Since     *int64   `json:"since"`
	LastLines []string `json:"lastLines" nullable:"false"`
}

// GPUState is a graphics card.
type GPUState struct {
	Name        string `json:"name"`
	Utilisation int    `json:"utilisation" doc:"per cent"`
	MemoryUsed  int64  `json:"memoryUsed" doc:"bytes"`
	MemoryTotal int64  `json:"memoryTotal" doc:"bytes"`
	Temperature int    `json:"temperature" doc:"degrees Celsius"`
}

type queueOutput struct{ Body Queue }

func (s *Server) queue(ctx context.Context, _ *nothing) (*queueOutput, error) {
	w, err := s.work(ctx)
	if err != nil {
		return nil, err
	}
	paused, err := s.Lanes.Paused(ctx)
	if err != nil {
		return nil, err
	}
	people, err := s.people(ctx)
	if err != nil {
		return nil, err
	}
	speech := s.Workers.Speech()
	cards, problem := s.Workers.GPUs()
	out := Queue{
		Paused: paused, Lanes: w.lanes(), Groups: w.groups(), Working: w.working(), People: people,
		Speech: SpeechState{
			State: speech.State, Model: speech.Model, Demo: speech.Demo, Backend: speech.Backend, Device: speech.Device,
			Realtime: speech.Realtime, Restarts: speech.Restarts, Since: millis(speech.Since), LastLines: orEmpty(speech.LastLines),
		},
		GPUs: []GPUState{}, GPUProblem: problem,
	}
	for _, card := range cards {
		out.GPUs = append(out.GPUs, GPUState(card))
	}
	return &queueOutput{out}, nil
}

func (w *work) lanes() []Lane {
	lanes := make([]Lane, len(queue.Lanes))
	index := map[string]*Lane{}
	for i, name := range queue.Lanes {
		lanes[i].Name = name
		index[name] = &lanes[i]
	}
	for _, j := range w.jobs {
		lane, known := index[j.Lane]
		if !known {
			continue
		}
		lane.AudioSeconds += w.left(j).Seconds()
		if j.Running {
			lane.Running++
			continue
		}
		lane.Waiting++
		lane.OldestSeconds = max(lane.OldestSeconds, w.at.Sub(j.Since).Seconds())
	}
	return lanes
}

func (w *work) groups() []Group {
	var groups []Group
	for p := engine.ByHand; p <= engine.Archive; p++ {
		group := Group{Priority: int(p)}
		for _, j := range w.jobs {
			if j.Running || j.Priority != p {
				continue
			}
			group.Waiting++
			group.AudioSeconds += w.left(j).Seconds()
			_, group.ETASeconds = w.place(j.CallID) // the last one's stays
		}
		groups = append(groups, group)
	}
	return groups
}

// workingShown is more than all lanes run at a time.
const workingShown = 100

func (w *work) working() []Working {
	all := []Working{}
	for _, j := range w.jobs {
		if !j.Running || len(all) == workingShown {
			continue
		}
		brief, progress := w.briefs[j.CallID], w.progress[j.CallID]
		one := Working{
			CallID: j.CallID, Title: brief.Title, Step: string(j.Step), Seconds: brief.Length.Seconds(),
			Done: progress.Done, Total: progress.Total, Since: j.Since.UnixMilli(),
		}
		if j.Step == engine.StepTranscribe {
			one.ETASeconds = w.eta(w.left(j))
		}
		all = append(all, one)
	}
	return all
}

// peopleShown is how many calls that wait for a person are listed; the list of
// calls has them all.
const peopleShown = 100

func (s *Server) people(ctx context.Context) ([]Person, error) {
	people := []Person{}
	connections, err := s.Portals.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range connections {
		if c.State == crm.NeedsOwner || c.Problem != "" {
			people = append(people, Person{"connection", c.ID, c.Name, c.Problem, string(c.State)})
		}
	}
	calls, err := s.Store.CallsIn(ctx, peopleShown, engine.NeedsOwner, engine.NoFunds, engine.Quarantined)
	for _, c := range calls {
		people = append(people, Person{"call", c.ID, c.Title, c.Problem, string(c.State)})
	}
	return people, err
}

func (s *Server) pause(ctx context.Context, _ *nothing) (*nothing, error) {
	return nil, s.steer(ctx, "queue paused", s.Lanes.Pause)
}

func (s *Server) resume(ctx context.Context, _ *nothing) (*nothing, error) {
	return nil, s.steer(ctx, "queue resumed", s.Lanes.Resume)
}

func (s *Server) steer(ctx context.Context, what string, do func(context.Context) error) error {
	if err := do(ctx); err != nil {
		return err
	}
	s.log.Info(what, "user", who(ctx).Login)
	s.forgetWork()
	s.Feed.Publish(Event{Topic: QueueChanged})
	return nil
}
