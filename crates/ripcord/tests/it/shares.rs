//! Who answers how many of ten thousand requests through the running proxy, counted by those who
//! ask: exactly what was asked where nobody judges, by chance where somebody does, and whatever
//! users send where they keep their release. What `status` says is held against that.

use crate::canary::{ended, spawn, until_traffic};
use crate::site::Site;
use std::process::Child;
use std::thread;

/// So many that a share of them is told apart from its neighbours; they take a few seconds.
const REQUESTS: usize = 10_000;

/// How many ask at the same time.
const CLIENTS: usize = 8;

/// v1 serves, and v2 is a canary until somebody says otherwise.
fn divided(share: &str, more: &str) -> (Site, Child) {
    let mut site = Site::open();
    site.deploy("v1-good");
    site.dress_with("v2-additive", |text| {
        format!("{text}strategy = \"canary\"\nsteps = [\"{share}\", \"pause\"]\n{more}")
    });
    let second = site.freeze();
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, &format!("v2 {}", share.replace('%', " %")));
    (site, deploy)
}

/// Asks, each number once, over connections that are kept; of how many v2 answered.
fn answered(site: &Site, user: impl Fn(usize) -> Option<String> + Send + Copy + 'static) -> usize {
    let clients = (0..CLIENTS).map(|client| {
        let url = format!("http://{}/version", site.listen);
        thread::spawn(move || {
            let agent = ureq::Agent::new_with_defaults();
            let ask = |number: &usize| {
                let mut request = agent.get(&url);
                if let Some(user) = user(*number) {
                    request = request.header("x-user", user);
                }
                let mut answer = request.call().unwrap();
                answer.body_mut().read_to_string().unwrap();
                answer.headers()["x-ripcord-release"] == "v2"
            };
            (client..REQUESTS).step_by(CLIENTS).filter(ask).count()
        })
    });
    let clients: Vec<_> = clients.collect();
    clients.into_iter().map(|client| client.join().unwrap()).sum()
}

/// What `status` measured, of requests and of users.
fn measured(site: &Site) -> (f64, Option<f64>) {
    let rollout = site.status()["operation"]["rollout"].clone();
    (rollout["measured"].as_f64().unwrap(), rollout["measured_users"].as_f64())
}

fn close(site: Site, deploy: Child) {
    site.run(&["abort"]).expect(0);
    ended(deploy, 4);
    site.close();
}

#[expect(clippy::cast_precision_loss, reason = "ten thousand at most")]
fn part(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}

#[test]
fn a_share_that_nobody_judges_is_counted_out() {
    let (site, deploy) = divided("5%", "[environments.test.judge]\nmode = \"off\"\n");
    assert_eq!(answered(&site, |_| None), REQUESTS / 20);
    assert_eq!(measured(&site), (0.05, None));
    let told = site.run(&["status"]).expect(0).stdout;
    assert!(told.contains("5 % asked, 5.00 % measured"), "{told}");
    close(site, deploy);
}

#[test]
fn a_share_that_is_judged_is_drawn_by_chance() {
    let (site, deploy) = divided("25%", "");
    let canary = answered(&site, |_| None);
    // Four standard deviations.
    assert!(canary.abs_diff(REQUESTS / 4) <= 173, "{canary} of {REQUESTS}");
    let (requests, users) = measured(&site);
    assert!((requests - part(canary, REQUESTS)).abs() < 1e-9 && users.is_none(), "{requests}");
    close(site, deploy);
}

#[test]
fn of_users_who_keep_their_release_both_shares_are_shown() {
    let (site, deploy) = divided("20%", "sticky = \"header X-User\"\n");
    // One of a thousand users sends half of all requests, so that the shares are far apart.
    let user = |number: usize| if number.is_multiple_of(2) { 0 } else { number / 2 % 999 + 1 };
    let canary = answered(&site, move |number| Some(user(number).to_string()));
    let (requests, users) = measured(&site);
    // Shares are told in hundredths of a percent.
    assert!((requests - part(canary, REQUESTS)).abs() < 1e-4, "{requests}, {canary} counted");
    let users = users.unwrap();
    // Four standard deviations of a thousand users.
    assert!((users - 0.2).abs() < 0.051, "{users} of the users, where a fifth was asked");
    assert!((requests - users).abs() > 0.03, "{requests} of requests, {users} of users");
    let told = site.run(&["status"]).expect(0).stdout;
    // Users who were counted a moment ago may not be in the ledger yet.
    let line = format!("20 % asked, measured {:.2} % of requests, ", 100.0 * requests);
    assert!(told.contains(&line) && told.contains(" % of users"), "{line}: {told}");
    close(site, deploy);
}
