//! How far Ripcord may go: what it must not do it refuses, and says what people do instead.

use crate::site::Site;

/// Puts a release into the project whose environment allows less in one domain.
fn freeze(site: &Site, release: &str, domain: &str, authority: &str) -> String {
    site.dress_with(release, |text| {
        format!("{text}\n[environments.test.authority]\n{domain} = \"{authority}\"\n")
    });
    site.freeze()
}

/// What a plan lists for people.
fn for_people(shown: &str) -> Vec<&str> {
    let mut lines = shown.lines().skip_while(|line| line.trim() != "carry out yourself:").skip(1);
    let forth = lines.by_ref().take_while(|line| line.trim() != "and to take it back:");
    forth.map(|line| line.trim_start_matches(|c: char| " .0123456789".contains(c))).collect()
}

#[track_caller]
fn check(site: &Site, release: &str, domain: &str, authority: &str, expected: &[&str]) {
    let id = freeze(site, release, domain, authority);
    let before = site.status();
    let refused = site.run(&["deploy", &id]).expect(3);
    for told in ["RC0210", domain, authority, "`ripcord plan deploy`"] {
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }
    let after = site.status();
    assert_eq!(after["generation"], before["generation"], "something began");
    assert_eq!(after["live"], "v1");
    let shown = site.run(&["plan", "deploy", &id]).expect(0).stdout;
    let listed = for_people(&shown);
    assert!(!listed.is_empty(), "{shown}");
    for line in expected {
        assert!(listed.contains(line), "{line}: {shown}");
    }
    let of_domain = format!("{domain}: ");
    assert!(listed.iter().all(|line| line.starts_with(&of_domain)), "{shown}");
}

#[test]
fn what_is_not_allowed_is_for_people() {
    let site = Site::open();
    site.deploy("v1-good");
    let scripts: Vec<String> = {
        site.dress("v2-additive");
        let folder = std::fs::read_dir(site.project().join("migrations")).unwrap();
        let names = folder.map(|file| file.unwrap().file_name().into_string().unwrap());
        let second = names.filter(|name| name.starts_with("002") && name.ends_with(".up.sql"));
        second.map(|name| format!("database: run {name}")).collect()
    };
    assert_eq!(scripts.len(), 1, "the second release brings one migration");
    check(&site, "v2-additive", "database", "propose", &[&scripts[0]]);
    check(
        &site,
        "v2-additive",
        "traffic",
        "observe",
        &["traffic: set the proxy: traffic to v2 100 %, preview of v2"],
    );
    // Where Ripcord may act, nothing is left for people.
    site.dress("v2-additive");
    let shown = site.run(&["plan", "deploy", "v2"]).expect(0).stdout;
    assert!(!shown.contains("yourself"), "{shown}");
    site.run(&["deploy", "v2"]).expect(0);
    assert_eq!(site.answering().as_deref(), Some("v2"));
    site.close();
}
