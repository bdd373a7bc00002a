package cli

// Administration are the commands for people, and for what a server does beside campaigns.
type Administration struct {
	Login   Login    `cmd:"" group:"People and access:" help:"Begin a session."`
	Logout  Logout   `cmd:"" group:"People and access:" help:"End the session."`
	Whoami  Whoami   `cmd:"" group:"People and access:" help:"Show who you are, and what you may do."`
	Context Contexts `cmd:"" group:"People and access:" help:"Servers to work with."`
	User    User     `cmd:"" group:"People and access:" help:"Users."`
	Token   Token    `cmd:"" group:"People and access:" help:"API tokens."`

	Subscriber Subscriber `cmd:"" group:"The server:" help:"Subscribers: tenants, each with a fleet of its own."`
	Audit      Audit      `cmd:"" group:"The server:" help:"What was done, and by whom."`
	Job        Job        `cmd:"" group:"The server:" help:"Work that the server does in the background."`
	Report     Report     `cmd:"" group:"The server:" help:"Monthly usage reports."`
	Secret     Secret     `cmd:"" group:"The server:" help:"How keys are kept."`
}
