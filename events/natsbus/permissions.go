package natsbus

import (
	"fmt"
	"slices"
	"strings"

	"apollo/events"
)

// Permissions are the subjects that a user of a role needs, and no others, in
// the words of a server's configuration.
type Permissions struct {
	Publish   []string
	Subscribe []string
	// AllowResponses: it may answer what it is asked.
	AllowResponses bool
}

// Identity is what a user is called on the bus, as far as its role needs it.
type Identity struct {
	// Prefix is as Config.Prefix; InboxPrefix as Config.InboxPrefix, and is the
	// user's own, so that nobody reads another one's replies.
	Prefix, InboxPrefix string
	// Owner is whose studies a submitter asks for.
	Owner string
	// Evaluators are those whose work an evaluator takes.
	Evaluators []string
}

// The roles.
const (
	RoleSubmitter = "submitter"
	RoleOperator  = "operator"
	RoleProposer  = "proposer"
	RoleEvaluator = "evaluator"
	RoleArchiver  = "archiver"
	RoleReader    = "reader"
)

// Roles returns the names of all roles.
func Roles() []string {
	return []string{RoleSubmitter, RoleOperator, RoleProposer, RoleEvaluator, RoleArchiver, RoleReader}
}

// PermissionsFor returns what a user of a role needs.
//
// Who may create a consumer on a stream may have the server send what is stored
// there to any subject, whatever it may publish itself. What Apollo stores names
// its stream in a header (Nats-Expected-Stream), and no other stream takes it;
// so nobody may create one on a stream that it may write to itself, but who
// could do anything anyway: the proposer, which makes the streams.
func PermissionsFor(role string, who Identity) (Permissions, error) {
	conf, err := Config{Prefix: who.Prefix}.withDefaults()
	if err != nil {
		return Permissions{}, err
	}
	g := &granter{bus: &Bus{conf: conf}, who: who}
	unnamed := func(name string) bool { return !events.IsName(name) }
	switch {
	case !slices.Contains(Roles(), role):
		return Permissions{}, fmt.Errorf("there is no role %q; there are %s", role, strings.Join(Roles(), ", "))
	case role == RoleSubmitter && (unnamed(who.Owner) || who.Owner == events.ArchiverOwner):
		return Permissions{}, fmt.Errorf("a submitter needs an owner, a name of a-z, 0-9 and \"-\": %q is none", who.Owner)
	case role == RoleEvaluator && (len(who.Evaluators) == 0 || slices.ContainsFunc(who.Evaluators, unnamed)):
		return Permissions{}, fmt.Errorf("an evaluator needs names of a-z, 0-9 and \"-\": not %q", who.Evaluators)
	case who.InboxPrefix == "" || strings.ContainsAny(who.InboxPrefix, "*> \t\r\n") || !events.IsSubject(who.InboxPrefix):
		return Permissions{}, fmt.Errorf("%q is no subject that replies can come in below", who.InboxPrefix)
	}
	g.Subscribe = append(g.Subscribe, who.InboxPrefix+".>")
	g.look()
	g.roles()[role]()
	for _, list := range []*[]string{&g.Publish, &g.Subscribe} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return g.Permissions, nil
}

// granter collects the subjects of one role.
type granter struct {
	Permissions
	bus *Bus // only for its names
	who Identity
}

func (g *granter) roles() map[string]func() {
	watch := func() {
		g.monitor()
		g.read("result.>", "archive.>")
		g.hear(events.NotifySubject(">"))
		g.say("api.get")
		g.ask("CONSUMER.INFO.%s."+commands, "cmd.>")
	}
	return map[string]func(){
		RoleReader: watch,
		RoleSubmitter: func() {
			watch()
			g.say(events.OwnedSubject(g.who.Owner, events.SubmitSubject("*")), events.OwnedSubject(g.who.Owner, events.ControlSubject("*")))
		},
		RoleOperator: func() {
			watch()
			g.read("dlq.>")
			g.send("user")
			g.say("api.*", "work.*.*.*.*") // dead letters of work are tried again
			for _, s := range []string{"study.>", "result.>", "archive.>", "dlq.>", "work.>"} {
				g.ask("STREAM.PURGE.%s", s)
			}
			g.ask("STREAM.MSG.DELETE.%s", "dlq.>")
			g.ask("STREAM.MSG.GET.%s", "work.>")
			g.ask("CONSUMER.INFO.%s.*", "work.>")
		},
		RoleProposer: g.propose,
		RoleEvaluator: func() {
			g.send(RoleEvaluator, events.QueueService)
			for _, name := range g.who.Evaluators {
				g.take("work.>", evaluatorPrefix+name)
				g.say("work." + name + ".*.*.*") // an item for another version is handed back
			}
			g.ask("STREAM.MSG.GET.%s", "result.>") // whether a batch is answered already
			g.monitor()
		},
		RoleArchiver: func() {
			g.send(RoleArchiver)
			g.say(events.OwnedSubject(events.ArchiverOwner, events.ControlSubject("*")))
			g.monitor()
			g.read("result.>")
			g.ask("STREAM.MSG.GET.%s", "archive.>")
		},
	}
}

// propose is the role that makes the streams and may do with them what it wants.
func (g *granter) propose() {
	g.send(RoleProposer, events.QueueService)
	g.say(events.NotifySubject(">"))
	g.say("result.*.*.*.*")                    // the answer to a batch of which every trial is known
	g.say(events.SubmitSubject("*"), "echo.*") // the API submits; it hears itself
	g.monitor()
	g.hear("echo.*", apiGroup+".*")
	g.Subscribe = append(g.Subscribe, "$SRV.>")
	g.AllowResponses = true
	for _, s := range g.bus.conf.Topology {
		filter := s.Subjects[0]
		for _, verb := range []string{"CREATE", "UPDATE", "PURGE", "MSG.GET", "MSG.DELETE"} {
			g.ask("STREAM."+verb+".%s", filter)
		}
		g.read(filter)
	}
	g.take("cmd.>", commands)
	g.take("dlq.>", forwarder)
	g.ask("STREAM.MSG.GET.%s", "work.>")
	g.ask("CONSUMER.LIST.%s", "work.>") // queues that nobody needs any more
}

// monitor allows to see what /healthz and the metrics of a process tell: the runs, who
// drives them, works for them and archives them. It does without the archivers' log,
// which an archiver may not read: who writes a stream could have the server send what
// is in it elsewhere.
func (g *granter) monitor() {
	g.read("study.>")
	g.hear("tick.*.*", "present.*", events.ArchivingSubject)
}

// look allows to see that the streams are there, and how full.
func (g *granter) look() {
	for _, s := range g.bus.conf.Topology {
		g.Publish = append(g.Publish, infoSubject(g.bus.streamName(s.Name)))
	}
}

// send allows the events that a sender says, and its dead letters.
func (g *granter) send(senders ...string) {
	for _, t := range events.Types() {
		for _, sender := range senders {
			switch {
			case t.Sender == "service" && sender != "user":
				g.say(pattern(strings.ReplaceAll(t.Subject, "{service}", sender)))
			case t.Sender == sender && sender == RoleEvaluator:
				for _, name := range g.who.Evaluators {
					g.say(pattern(strings.ReplaceAll(t.Subject, "{evaluator}", name)))
				}
			case t.Sender == sender:
				g.say(pattern(t.Subject))
			}
		}
	}
}

// pattern is a subject of the contract with wildcards for what varies.
func pattern(subject string) string {
	tokens := strings.Split(subject, ".")
	for i, token := range tokens {
		if strings.HasPrefix(token, "{") {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}

func (g *granter) say(subjects ...string) {
	for _, s := range subjects {
		g.Publish = append(g.Publish, g.bus.subject(s))
	}
}

func (g *granter) hear(subjects ...string) {
	for _, s := range subjects {
		g.Subscribe = append(g.Subscribe, g.bus.subject(s))
	}
}

// ask allows a question to JetStream about the stream that holds filter.
func (g *granter) ask(question, filter string) {
	stream, err := g.bus.streamFor(filter)
	if err != nil {
		panic(err) // the filters are ours
	}
	g.Publish = append(g.Publish, "$JS.API."+fmt.Sprintf(question, stream))
}

// read allows readers of streams: consumers of their own, and single messages.
func (g *granter) read(filters ...string) {
	for _, f := range filters {
		for _, q := range []string{"CONSUMER.CREATE.%s.>", "CONSUMER.MSG.NEXT.%s.*", "CONSUMER.INFO.%s.*", "CONSUMER.DELETE.%s.*", "STREAM.MSG.GET.%s"} {
			g.ask(q, f)
		}
	}
}

// take allows to take the messages of one durable and to answer them. The server
// writes the answers' subjects with or without its domain and account.
func (g *granter) take(filter, durable string) {
	g.ask("CONSUMER.INFO.%s."+durable, filter)
	g.ask("CONSUMER.MSG.NEXT.%s."+durable, filter)
	stream, _ := g.bus.streamFor(filter)
	g.Publish = append(g.Publish, ackSubjects+stream+"."+durable+".>", ackSubjects+"*.*."+stream+"."+durable+".>")
}
