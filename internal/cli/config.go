package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/goccy/go-yaml"
)

// Context is a server that somebody works with, and as whom. Its token is a secret:
// nothing writes it but the configuration file.
type Context struct {
	Name       string `yaml:"name"`
	Server     string `yaml:"server,omitempty"`     // URL; "": the default
	Token      string `yaml:"token,omitempty"`      // of a session or of the API
	Subscriber string `yaml:"subscriber,omitempty"` // to act in, for administrators of the server
	CAFile     string `yaml:"ca_file,omitempty"`    // PEM; certificates to trust beside the system's
}

// Config is the configuration file: contexts, and which of them is used.
//
//	current: home
//	contexts:
//	  - name: home
//	    server: https://starling.example.org
//	    token: stl_...
//	    subscriber: default
//	    ca_file: /etc/ssl/home.pem
type Config struct {
	Current  string    `yaml:"current,omitempty"`
	Contexts []Context `yaml:"contexts,omitempty"`

	path string // it was read from, and is saved to
}

// ConfigPath returns where the configuration file is: $STARLING_CONFIG, else
// starling/config.yaml in the user's configuration directory.
func ConfigPath() (string, error) {
	if path := os.Getenv("STARLING_CONFIG"); path != "" {
		return path, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("%w: there is no place for the configuration file, name one in STARLING_CONFIG: %w", ErrUsage, err)
	}
	return filepath.Join(dir, "starling", "config.yaml"), nil
}

// LoadConfig reads the configuration file; none is an empty one. A file that others can read
// is refused, because of the tokens in it, and so are keys that it does not know: a
// misspelled "subscriber" would act in another one. Errors never repeat what the file holds, but for names of keys.
func LoadConfig() (*Config, error) {
	path, err := ConfigPath()
	if err != nil {
		return nil, err
	}
	cfg := &Config{path: path}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: configuration: %w", ErrUsage, err)
	}
	defer func() { _ = f.Close() }() // it is only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 { // Windows has no such bits
		return nil, fmt.Errorf("%w: %s holds tokens and can be read by others, make it yours: chmod 600 %s", ErrUsage, path, path)
	}
	err = yaml.NewDecoder(f, yaml.Strict()).Decode(cfg)
	if err != nil && !errors.Is(err, io.EOF) { // an empty file says nothing, which is fine
		return nil, fmt.Errorf("%w: %s, %s", ErrUsage, path, misread(err))
	}
	return cfg, cfg.check()
}

// misread says where a YAML file is wrong. The messages of the library are not repeated
// as they are: they quote lines of the file, which may be tokens.
func misread(err error) string {
	var unknown *yaml.UnknownFieldError
	var other yaml.Error
	switch {
	case errors.As(err, &unknown):
		return fmt.Sprintf("line %d: there is no key %q, leave it out or correct it", unknown.Token.Position.Line, unknown.Token.Value)
	case errors.As(err, &other) && other.GetToken() != nil:
		return fmt.Sprintf("line %d: cannot be read, write each key once, as \"key: value\"", other.GetToken().Position.Line)
	}
	return "cannot be read as YAML"
}

// check returns what YAML alone does not notice.
func (c *Config) check() error {
	seen := map[string]bool{}
	for _, x := range c.Contexts {
		switch {
		case x.Name == "":
			return fmt.Errorf("%w: %s has a context without a name", ErrUsage, c.path)
		case seen[x.Name]:
			return fmt.Errorf("%w: %s has two contexts %q", ErrUsage, c.path, x.Name)
		}
		seen[x.Name] = true
	}
	if c.Current != "" && !seen[c.Current] {
		return fmt.Errorf("%w: %s has no context %q, which is its current one", ErrUsage, c.path, c.Current)
	}
	return nil
}

// Find returns the context of a name, or nil.
func (c *Config) Find(name string) *Context {
	if i := slices.IndexFunc(c.Contexts, func(x Context) bool { return x.Name == name }); i >= 0 {
		return &c.Contexts[i]
	}
	return nil
}

// Put adds a context, or replaces the one of its name. The first becomes the current one.
func (c *Config) Put(x Context) {
	if known := c.Find(x.Name); known != nil {
		*known = x
	} else {
		c.Contexts = append(c.Contexts, x)
	}
	if c.Current == "" {
		c.Current = x.Name
	}
}

// Remove takes a context out. Without its current one, a configuration has none.
func (c *Config) Remove(name string) {
	c.Contexts = slices.DeleteFunc(c.Contexts, func(x Context) bool { return x.Name == name })
	if c.Current == name {
		c.Current = ""
	}
}

// Save writes the file, whole or not at all, for its owner alone. A symbolic link stays one.
func (c *Config) Save() error {
	content, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	path := c.path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".config-*.yaml") // with mode 0600
	if err != nil {
		return err
	}
	_, err = io.Copy(temp, bytes.NewReader(content))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return syncDir(dir)
}

// syncDir makes a rename last. Not every system can do that with directories, and the
// file is right in any case.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// SaveContext puts a context into the configuration file and returns the path of the file.
func SaveContext(x Context) (string, error) {
	cfg, err := LoadConfig()
	if err != nil {
		return "", err
	}
	cfg.Put(x)
	return cfg.path, cfg.Save()
}
