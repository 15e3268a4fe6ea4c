package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMain lets this test program stand in for kube-apiserver-etcd.
func TestMain(m *testing.M) {
	if behaviour := os.Getenv("TESTAPI_STAND_IN"); behaviour != "" && os.Getenv("TESTAPI_ETCD_DIR") != "" {
		standIn(behaviour)
	}
	os.Exit(m.Run())
}

func standIn(behaviour string) {
	if behaviour == "die" {
		fmt.Println("no such luck")
		os.Exit(3)
	}
	f := flag.NewFlagSet("", flag.ContinueOnError)
	port := f.Int("secure-port", 0, "")
	for _, name := range apiserverFlags(0) {
		if name, _, _ = strings.Cut(strings.TrimLeft(name, "-"), "="); name != "secure-port" {
			f.String(name, "", "")
		}
	}
	if err := f.Parse(os.Args[1:]); err != nil {
		os.Exit(4)
	}
	roots := x509.NewCertPool()
	ca, _ := os.ReadFile("pki/ca.crt")
	roots.AppendCertsFromPEM(ca)
	server := http.Server{
		Addr:      fmt.Sprintf("127.0.0.1:%d", *port),
		TLSConfig: &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" && behaviour == "unready" {
				http.Error(w, "[+]ping ok\n[-]etcd failed", http.StatusInternalServerError)
			}
		}),
	}
	fmt.Println(server.ListenAndServeTLS("pki/apiserver.crt", "pki/apiserver.key"))
	os.Exit(5)
}

func standInOptions(t *testing.T, behaviour string) options {
	t.Helper()
	t.Setenv("TESTAPI_STAND_IN", behaviour)
	return options{dir: filepath.Join(t.TempDir(), "run"), binary: os.Args[0], readyTimeout: time.Minute}
}

// serveOnce starts, hands over the ready line, and stops.
func serveOnce(t *testing.T, o options) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, o, w)
		w.Close()
		done <- err
	}()
	line, readErr := bufio.NewReader(r).ReadString('\n')
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if readErr != nil {
		t.Fatal(readErr)
	}
	return line
}

func TestServesTheSameAgain(t *testing.T) {
	o := standInOptions(t, "serve")
	line := serveOnce(t, o)
	match := regexp.MustCompile(`^ready (https://127\.0\.0\.1:2\d{4}) (.+)\n$`).FindStringSubmatch(line)
	if match == nil || match[2] != filepath.Join(o.dir, "kubeconfig") {
		t.Fatalf("ready line %q", line)
	}
	kubeconfig, err := os.ReadFile(match[2])
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(o.dir, "pki", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"server: " + match[1] + "\n", base64.StdEncoding.EncodeToString(ca), "namespace: default"} {
		if !strings.Contains(string(kubeconfig), want) {
			t.Errorf("kubeconfig lacks %q", want)
		}
	}

	if again := serveOnce(t, o); again != line {
		t.Errorf("first %q, then %q", line, again)
	}
	if again, _ := os.ReadFile(match[2]); string(again) != string(kubeconfig) {
		t.Error("the kubeconfig changed")
	}
}

func TestChildThatDies(t *testing.T) {
	err := run(t.Context(), standInOptions(t, "die"), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("error %v", err)
	}
}

func TestNotReady(t *testing.T) {
	o := standInOptions(t, "unready")
	o.readyTimeout = time.Second
	err := run(t.Context(), o, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "[-]etcd failed") || strings.Contains(err.Error(), "ping ok") {
		t.Errorf("error %v", err)
	}
}

func TestFolderInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lockDir(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lockDir(stopped, path); err == nil {
		t.Error("locked twice")
	}
	first.Close()
	if _, err := lockDir(t.Context(), path); err != nil {
		t.Error(err)
	}
}

func TestArguments(t *testing.T) {
	t.Setenv("KUBEBUILDER_ASSETS", "")
	o, err := parse([]string{"--dir", "run", "--", "--v=4", "--event-ttl", "1m"})
	if err != nil || !filepath.IsAbs(o.dir) || !filepath.IsAbs(o.binary) || len(o.extra) != 3 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, wrong := range [][]string{{}, {"--dir", "run", "stray"}} {
		if _, err := parse(wrong); err == nil {
			t.Errorf("%q was accepted", wrong)
		}
	}
}
