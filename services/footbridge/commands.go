package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// commandLine is everything that can be typed after footbridge: commands, their arguments and their own flags, as kong
// reads and describes them. Values of flags are read by load, with the settings, from the same fields: the tag env
// gives the name of both. What a command does is in actions.
type commandLine struct {
	Demo struct {
		demoFlags
	} `cmd:"" group:"run" help:"One sample discharge from the hospital's message to the offer, then the console."`
	Dev struct {
		devFlags
	} `cmd:"" group:"run" help:"All services in one process, with NATS and PostgreSQL of its own."`
	Serve struct {
		serveFlags
	} `cmd:"" group:"run" help:"All services, or those named by --only, against the configured NATS and PostgreSQL."`
	Migrate struct {
		migrateFlags
	} `cmd:"" group:"run" help:"Bring roles, schemas and tables to this release, with an administrator's database login."`
	Sentinel struct{} `cmd:"" group:"run" help:"The watcher that finds journeys nobody holds, as a process of its own."`
	Broker   struct{} `cmd:"" group:"run" help:"The NATS of dev alone, for several processes on one machine."`
	Streams  struct {
		Keep    struct{} `cmd:"" help:"Make the streams and keep them, where no process of services has the owner's key."`
		Rebuild struct{} `cmd:"" help:"Have the running services publish everything again from PostgreSQL."`
	} `cmd:"" group:"run" help:"The streams that events travel on."`

	Restored struct {
		Services []string `arg:"" name:"SERVICE" help:"Whose schemas were restored."`
	} `cmd:"" group:"run" help:"Say that schemas were restored from a backup, before their services start: what they say counts as new, and they hear everything again."`

	Send struct {
		sendFlags
		Files []string `arg:"" name:"FILE" help:"HL7 v2 messages, one or several a file, or a CloudEvent or a batch of them; - is standard input."`
	} `cmd:"" group:"feed" help:"Send HL7 v2 files or CloudEvents as an outside system would, and print each answer."`
	Signals struct {
		signalFlags
		Files []string `arg:"" name:"FILE|FOLDER" help:"Signals as JSON, one or several a file; of a folder, the files whose names end in .json; - is standard input."`
	} `cmd:"" group:"feed" help:"Send signals about people (a death, a changed number or record) from files."`
	Referrals struct {
		Import struct {
			referralFlags
			File string `arg:"" name:"FILE" help:"The list as CSV; its first row names the columns, one of them visit."`
		} `cmd:"" help:"Import a nightly list, and say what became of every row."`
	} `cmd:"" group:"feed" help:"A nightly list as CSV, reconciled by visit."`
	Profiles struct {
		Test struct {
			profileFlags
			Dir string `arg:"" optional:"" name:"DIR" help:"A folder of profiles beside the shipped ones; FOOTBRIDGE_PROFILES where it is left out."`
		} `cmd:"" help:"Read golden samples by the profiles they belong to; nothing is sent or stored."`
	} `cmd:"" group:"feed" help:"How each sender's messages are read."`
	Sim struct {
		Run struct {
			simFlags
		} `cmd:"" default:"withargs" help:"Run a whole system on a clock of its own, have made-up people live through some weeks in it, and tell what became of everyone; also without the word run."`
		Partner struct {
			simPartnerFlags
		} `cmd:"" help:"Receive webhooks as a partner's system would, check who signed them, and print each event once."`
	} `cmd:"" group:"feed" help:"Stand in for others, with made-up people alone."`

	Status struct {
		plainFlags
	} `cmd:"" group:"look" help:"Is anybody without a next step? Then feeds, lags and faults."`
	Journeys struct {
		journeyFlags
		ID string `arg:"" optional:"" name:"ID" help:"The journey to show with its steps and its timeline; all are listed where it is left out."`
	} `cmd:"" group:"look" help:"Journeys with their next step, or one timeline."`
	Timers struct {
		timerFlags
	} `cmd:"" group:"look" help:"What will fire in the hours ahead: calls, reminders, requests for help, plans; and what is late."`
	Trace struct {
		traceFlags
		Journey string `arg:"" optional:"" name:"JOURNEY" help:"The journey's id, or a trace's."`
	} `cmd:"" group:"look" help:"What was done lately and how long it took, or the waterfall of one journey across the services."`
	Messages struct {
		List struct {
			ledgerFlags
			plainFlags
		} `cmd:"" default:"withargs" help:"List the ledger; also without the word list."`
		Show struct {
			plainFlags
			messageID
		} `cmd:"" help:"Show one message, what is wrong with it, and what can be done."`
		Release struct {
			editFlags
			plainFlags
			messageID
		} `cmd:"" help:"Release a message that was quarantined, with what you know better than it."`
		Dismiss struct {
			plainFlags
			messageID
		} `cmd:"" help:"Dismiss a message that was quarantined as of no concern here."`
	} `cmd:"" group:"look" help:"The ledger: every message received, its answer and its outcome."`
	Deadletters struct {
		List struct {
			plainFlags
		} `cmd:"" help:"List what could not be processed."`
		Show struct {
			plainFlags
			ID string `arg:"" name:"ID" help:"The event's id."`
		} `cmd:"" help:"Show one, with what arrived."`
		Redrive struct {
			IDs []string `arg:"" optional:"" name:"ID" help:"Events' ids; all where none is named."`
		} `cmd:"" help:"Put dead letters back in line."`
		Dismiss struct {
			IDs []string `arg:"" name:"ID" help:"Events' ids."`
		} `cmd:"" help:"Say that you have seen to them otherwise; they are kept, and no longer counted."`
	} `cmd:"" group:"look" help:"What could not be processed, and putting it back."`
	Fallback struct {
		Read struct {
			fallbackFlags
			File string `arg:"" name:"FILE" help:"The list, as it was written."`
		} `cmd:"" help:"Decrypt a list with a key of somebody on call; needs no system that runs."`
	} `cmd:"" group:"look" help:"The list for when the system is down."`
	Doctor struct {
		doctorFlags
	} `cmd:"" group:"look" help:"Check configuration, connections, streams, schemas and clock, and say what to do."`
	SignIn struct {
		Check struct {
			signInFlags
		} `cmd:"" help:"Show whom a set of claims would make somebody, and why, or why nobody; signs nobody in."`
		Key struct {
			signInKeyFlags
		} `cmd:"" help:"Print the public key that a provider is to be given, where this installation signs who it is (private_key_jwt)."`
	} `cmd:"" name:"sign-in" group:"look" help:"Who staff become by their identity provider's claims."`
	Ready   struct{} `cmd:"" group:"look" help:"End with 0 when the process that this configuration describes is ready: for a container's health check."`
	Version struct {
		plainFlags
	} `cmd:"" group:"look" help:"Which build this is."`

	Thresholds struct {
		Check struct {
			checkFlags
		} `cmd:"" help:"Which services are open to somebody of whom these facts are known; keeps nothing."`
		Gaps struct {
			gapFlags
		} `cmd:"" help:"For which facts no statutory service is open, before anybody meets them."`
		WhatIf struct {
			whatIfFlags
		} `cmd:"" help:"Whose doors would have been others under a draft (--directory); asks the running system, writes nothing."`
		Told struct {
			toldFlags
		} `cmd:"" help:"What people are told against what services publish; asks the running system."`
		Turned struct {
			turnedFlags
			Criterion string `arg:"" name:"CRITERION" help:"The criterion's id."`
		} `cmd:"" help:"How often a fact turned one criterion; no number below 5 is told; asks the running system."`
		Rulebook struct {
			ruleBookFlags
		} `cmd:"" help:"Every criterion in plain words, as a page of HTML to print."`
	} `cmd:"" group:"criteria" help:"Who is open to whom, by the criteria of --directory (FOOTBRIDGE_DIRECTORY), or of the example."`
	Directory struct {
		Import struct {
			importFlags
			From string `arg:"" name:"FILE|URL" help:"A file, or the address of a directory."`
		} `cmd:"" help:"Draft access criteria from Open Referral UK data."`
		Lint struct {
			lintFlags
		} `cmd:"" help:"Find stale checks, missing sources, and lines that reach nobody."`
	} `cmd:"" group:"criteria" help:"The services' criteria: taken in, and looked over."`

	Keys struct {
		New struct {
			newKeyFlags
		} `cmd:"" help:"Make the keys that are missing; what is there stays as it is."`
		List struct {
			plainFlags
		} `cmd:"" help:"List the public keys, and whose private file is here."`
		Rotate struct {
			Holders []string `arg:"" optional:"" name:"HOLDER" help:"Whose keys; where none is named, the key that wraps keys."`
		} `cmd:"" help:"Make new keys; the former ones are accepted until they are retired."`
		Retire struct {
			Holders []string `arg:"" name:"HOLDER" help:"Whose former keys."`
		} `cmd:"" help:"Accept the former keys of these holders no more."`
		NATS   struct{} `cmd:"" name:"nats" help:"Print the users for a NATS server of the site's own."`
		Rewrap struct {
			plainFlags
		} `cmd:"" help:"Wrap stored keys under the newest key that wraps keys."`
	} `cmd:"" group:"keys" help:"Make and change the keys of an installation, one file for each service."`
	Erase struct {
		eraseFlags
	} `cmd:"" group:"keys" help:"Make what identifies a person unreadable, everywhere: reference on standard input, two named people, a reason."`

	Completion struct {
		Shell string `arg:"" name:"bash|zsh|fish" help:"The shell it is for."`
	} `cmd:"" group:"shell" help:"Print what a shell needs to complete commands and flags."`
	Complete struct {
		Words []string `arg:"" optional:"" passthrough:""`
	} `cmd:"" name:"__complete" hidden:"" help:"Answer a shell."`
	Reference struct{} `cmd:"" name:"__reference" hidden:"" help:"Print docs/commands.md."`
}

type messageID struct {
	ID string `arg:"" name:"ID" help:"The message's id, as the list has it."`
}

// groups are the headings under which commands are listed.
var groups = []kong.Group{
	{Key: "run", Title: "Run"}, {Key: "feed", Title: "Feed"}, {Key: "look", Title: "Look at it, and mend it"},
	{Key: "criteria", Title: "Criteria"}, {Key: "keys", Title: "Keys and erasure"}, {Key: "shell", Title: "Shell"},
}

// action is what a command does, with the arguments that load reads, and how it may be typed.
type action struct {
	run     func(ctx context.Context, args []string) error
	example string
}

// sub is a command whose function reads the word that it was called by.
func sub(run func(context.Context, []string) error, word string) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error { return run(ctx, append([]string{word}, args...)) }
}

// actions are by the words of a command. newParser refuses a command without one.
func actions() map[string]action {
	return map[string]action{
		"demo":  {demo, "footbridge demo --exit"},
		"dev":   {dev, "footbridge dev --state-dir ./.footbridge"},
		"serve": {serve, "footbridge serve --only intake,gateway"},
		"migrate": {migrateCommand,
			"footbridge migrate --database-url postgres://admin@db.example/records"},
		"sentinel":        {sentinel, "footbridge sentinel --sentinel-every 30s"},
		"broker":          {broker, "footbridge broker --nats-addr 127.0.0.1:4222"},
		"streams keep":    {sub(streams, "keep"), "footbridge streams keep"},
		"streams rebuild": {sub(streams, "rebuild"), "footbridge streams rebuild"},
		"restored":        {restored, "footbridge restored followup"},
		"send": {send, "footbridge send arrival.hl7 end.hl7 --mllp 127.0.0.1:2575\nfootbridge send " +
			"discharge.json"},
		"signals":          {signals, "footbridge signals ./signals"},
		"referrals import": {sub(referrals, "import"), "footbridge referrals import night.csv --json"},
		"profiles test":    {sub(profiles, "test"), "footbridge profiles test ./profiles"},
		"sim run":          {simulate, "footbridge sim --days 14 --discharges 50 --seed 1 --out ./simulated"},
		"sim partner": {simPartner, "FOOTBRIDGE_SIM_SECRET=whsec_… footbridge sim partner --sim-listen " +
			"127.0.0.1:8091"},
		"status": {status, "footbridge status --json"},
		"journeys": {journeys, "footbridge journeys --void\nfootbridge journeys " +
			"0196b3a4-7f2c-7d10-9a55-2f4c6e8a1b3d"},
		"timers":        {timers, "footbridge timers --hours 48"},
		"trace":         {traceCommand, "footbridge trace 0196b3a4-7f2c-7d10-9a55-2f4c6e8a1b3d"},
		"messages list": {messages, "footbridge messages --outcome quarantined"},
		"messages show": {sub(messages, "show"), "footbridge messages show ID"},
		"messages release": {sub(messages, "release"), "footbridge messages release ID --left-at " +
			"2026-11-20T09:00:00Z"},
		"messages dismiss":    {sub(messages, "dismiss"), "footbridge messages dismiss ID"},
		"deadletters list":    {sub(deadLetters, "list"), "footbridge deadletters list --json"},
		"deadletters show":    {sub(deadLetters, "show"), "footbridge deadletters show ID"},
		"deadletters redrive": {sub(deadLetters, "redrive"), "footbridge deadletters redrive"},
		"deadletters dismiss": {sub(deadLetters, "dismiss"), "footbridge deadletters dismiss ID"},
		"fallback read": {sub(readFallbackList, "read"), "footbridge fallback read " +
			"footbridge-2026-11-28.csv.age --identity on-call.key"},
		"doctor":              {doctor, "footbridge doctor --only intake"},
		"sign-in key":         {printSignInKey, "footbridge sign-in key --file sign-in.yaml --provider cis2"},
		"sign-in check":       {checkClaims, "footbridge sign-in check --file sign-in.yaml --claims claims.json"},
		"ready":               {ready, "footbridge ready --ops-addr 127.0.0.1:9090"},
		"version":             {version, "footbridge version --json"},
		"thresholds check":    {checkFacts, `echo '{"age": 34}' | footbridge thresholds check --facts -`},
		"thresholds gaps":     {findGaps, "footbridge thresholds gaps --on 2026-12-01"},
		"thresholds what-if":  {whatIf, "footbridge thresholds what-if --directory ./draft --since 2026-11-01"},
		"thresholds told":     {toldReports, "footbridge thresholds told"},
		"thresholds turned":   {turnedFacts, "footbridge thresholds turned area --service liaison"},
		"thresholds rulebook": {ruleBook, "footbridge thresholds rulebook > rulebook.html"},
		"directory import": {importDirectory, "footbridge directory import services.json --to ./draft --sector " +
			"third-sector"},
		"directory lint": {lintDirectory, "footbridge directory lint --check-links --strict"},
		"keys new":       {sub(keys, "new"), "footbridge keys new"},
		"keys list":      {sub(keys, "list"), "footbridge keys list"},
		"keys rotate":    {sub(keys, "rotate"), "footbridge keys rotate intake"},
		"keys retire":    {sub(keys, "retire"), "footbridge keys retire intake"},
		"keys nats":      {sub(keys, "nats"), "footbridge keys nats > users.conf"},
		"keys rewrap":    {sub(keys, "rewrap"), "footbridge keys rewrap"},
		"erase": {erase, "echo REFERENCE | footbridge erase --reason asked-by-letter\necho REFERENCE | " +
			"footbridge erase --confirm REQUEST"},
		"completion":  {completion, "source <(footbridge completion bash)"},
		"__complete":  {complete, "footbridge __complete jou"},
		"__reference": {reference, "footbridge __reference > docs/commands.md"},
	}
}

// newParser makes the parser of commandLine. An error is a fault of ours: a command that does nothing, or an action
// that no command leads to.
func newParser() (*kong.Kong, error) {
	k, err := kong.New(&commandLine{}, kong.Name("footbridge"), kong.NoDefaultHelp(), kong.ExplicitGroups(groups),
		kong.PostBuild(nameFlags),
		kong.Description("Sees to it that nobody who comes to A&E after self-harm is discharged into the void."))
	if err != nil {
		return nil, fmt.Errorf("reading the command line: %w", err)
	}
	idle := actions()
	for _, leaf := range k.Model.Leaves(false) {
		if _, ok := idle[leaf.Path()]; !ok {
			return nil, fmt.Errorf("the command %q does nothing: give it an action", leaf.Path())
		}
		delete(idle, leaf.Path())
	}
	for words := range idle {
		return nil, fmt.Errorf("the action of %q belongs to no command", words)
	}
	return k, nil
}

// nameFlags gives each flag the name that load reads, after the field's tag env, and keeps kong from reading variables.
func nameFlags(k *kong.Kong) error {
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			if len(flag.Tag.Envs) != 1 {
				return fmt.Errorf("the flag --%s is not read by load: it has no tag env", flag.Name)
			}
			flag.Name = strings.ToLower(strings.ReplaceAll(flag.Tag.Envs[0], "_", "-"))
			flag.Envs, flag.Tag.Envs = nil, nil
		}
		return next(nil)
	})
}

// flagsUnder are the flags of a command and of all its subcommands, by name.
func flagsUnder(node *kong.Node) map[string]*kong.Flag {
	found := map[string]*kong.Flag{}
	for _, one := range append([]*kong.Node{node}, node.Leaves(false)...) {
		for _, flag := range one.Flags {
			found[flag.Name] = flag
		}
	}
	return found
}

// child is a command below another, or nil.
func child(node *kong.Node, word string) *kong.Node {
	i := slices.IndexFunc(node.Children, func(c *kong.Node) bool { return c.Name == word })
	if i < 0 {
		return nil
	}
	return node.Children[i]
}
