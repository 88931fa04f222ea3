//! Bundles as a gateway gets them: verified, opened and loaded with this program's own loader.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::current::state;
use super::{Bundle, changed, open_for, public_key};
use crate::config::{File, Moment, Reading, Reference};
use crate::control::gateways::{Gateway, purpose};
use crate::control::keys::Key;
use crate::control::policies::{Policy, Subject};
use crate::control::providers::{self, Provider, ProviderKey, ProviderSettings};
use crate::control::seal::digest;
use crate::control::shelf::Stored;
use crate::control::teams::{Team, TeamSettings};
use crate::control::users::User;
use crate::control::{Control, MasterKey, Parts, Settings};
use crate::domain::{Checker, Clock, Secret, Stamp};
use crate::pipeline::{Snapshot, custom_checkers};
use crate::store::{self, Objects};

const DAY_MS: u64 = 24 * 3600 * 1000;
const POLICY: &str = "\
checks:
  outbound: [secrets, house]
policies:
  - name: no_badges
    condition: {checker: house, team: red}
    action: block
exceptions:
  - {name: sample, reason: a sample, expires: 2099-12-31, scope: {rule: house.badges.number, team: blue}}
redact_secrets: true";
const HOUSE: &str = "\
- id: house.badges.number
  title: Number of a company badge
  risk: high
  score: 0.9
  type: BADGE_NUMBER
  keywords: [badge-]
  pattern: '\\bbadge-[0-9]{6}\\b'
  redact: true
  why: It opens the doors of the building.
  hits: [badge-204¦866]
  misses: [badge-12]
";

struct At(AtomicU64);

impl Clock for At {
    fn now(&self) -> Stamp {
        let unix = Duration::from_millis(self.0.load(Ordering::SeqCst));
        Stamp { monotonic: unix, unix }
    }
}

struct World {
    control: Control,
    clock: Arc<At>,
    target: String,
    _folder: tempfile::TempDir,
}

async fn control_at(target: &str, clock: Arc<At>) -> Control {
    Control::new(Parts {
        objects: Arc::new(Objects::open(target).await.unwrap()),
        records: store::open(target).await.unwrap().into(),
        scribe: None,
        master: MasterKey::new([7; 32]),
        settings: Settings::default(),
        clock,
    })
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let target = format!("sqlite:{}", folder.path().join("control.db").display());
    let clock = Arc::new(At(AtomicU64::new(1000 * DAY_MS)));
    World { control: control_at(&target, clock.clone()).await, clock, target, _folder: folder }
}

impl World {
    fn later(&self, milliseconds: u64) {
        self.clock.0.fetch_add(milliseconds, Ordering::SeqCst);
    }

    fn gateway(&self, id: &str, group: &str) -> Gateway {
        let seal = Secret::new(STANDARD.encode([9; 32]));
        let sealed = self.control.master.seal(&seal, &purpose(id)).unwrap();
        serde_json::from_value(serde_json::json!({
            "id": id, "name": id, "group": group, "digest": digest(id), "seal": sealed, "audit_key": "",
            "enrolled_ms": 0, "report": null,
        }))
        .unwrap()
    }

    async fn put<T: Stored>(&self, value: &T) {
        self.control.shelf.insert(value).await.unwrap();
    }

    async fn provider(&self, name: &str, dialect: &str, keys: &[&str]) {
        let sealed = |(index, key): (usize, &&str)| {
            let id = format!("key-{name}-{index}");
            let sealed =
                self.control.master.seal(&Secret::new((*key).to_owned()), &providers::purpose(name, &id)).unwrap();
            ProviderKey { id, name: "main".into(), sealed, created_ms: 0 }
        };
        let settings =
            ProviderSettings { urls: vec![format!("https://{name}.invalid/v1")], dialect: dialect.to_owned() };
        let keys = keys.iter().enumerate().map(sealed).collect();
        self.put(&Provider { name: name.into(), settings, keys }).await;
    }

    async fn team(&self, name: &str, settings: TeamSettings) {
        self.put(&Team { name: name.into(), settings, created_ms: 0 }).await;
    }

    async fn key(&self, team: &str, key: &str, expires_ms: Option<u64>) {
        let owner = format!("user-of-{team}");
        if self.control.shelf.get::<User>(&owner).await.unwrap().is_none() {
            let user = serde_json::json!({
                "id": owner, "name": owner, "subject": owner, "roles": [], "teams": [], "disabled": false, "created_ms": 0,
            });
            self.put(&serde_json::from_value::<User>(user).unwrap()).await;
        }
        self.put(&Key {
            id: format!("id-{key}"),
            team: team.into(),
            name: "laptop".into(),
            digest: digest(key),
            prefix: String::new(),
            owner: Some(owner),
            created_ms: 0,
            expires_ms,
            revoked_ms: None,
        })
        .await;
    }

    async fn publish(&self, subject: &Subject, text: &str) {
        let number = 1;
        let version = serde_json::json!({
            "id": "x", "subject": subject.id(), "number": number, "text": text, "authors": [], "approved_by": null,
            "published_by": {"id": "u", "name": "u"}, "published_ms": 0, "note": "", "taken_from": null,
        });
        let mut policy = Policy::new(subject);
        policy.published = Some(serde_json::from_value(version).unwrap());
        match self.control.shelf.get::<Policy>(&subject.id()).await.unwrap() {
            None => self.put(&policy).await,
            Some(mut kept) => {
                kept.value = policy;
                self.control.shelf.update(&kept).await.unwrap();
            }
        }
    }

    /// Two providers, two teams with keys, rules and a policy about them.
    async fn furnish(&self) {
        self.provider("anthropic", "anthropic", &["made-up-one", "made-up-two"]).await;
        self.provider("mirror", "openai", &["made-up-three"]).await;
        let red = TeamSettings { model_allowlist: Some(vec!["${HOME} $5 claude-*".into()]), ..TeamSettings::default() };
        self.team("red", red).await;
        self.team("blue", TeamSettings { description: Some("people".into()), ..TeamSettings::default() }).await;
        self.key("red", "gw-red-made-up-key", None).await;
        self.key("blue", "gw-blue-made-up-key", Some(self.control.shelf.now_ms() + DAY_MS)).await;
        self.publish(&Subject::Group("default".into()), POLICY).await;
        self.publish(&Subject::Rules, HOUSE).await;
    }

    async fn opened(&self, gateway: &Gateway) -> Bundle {
        let (_, signed) = changed(&self.control, gateway, None).await.unwrap().unwrap();
        signed.verify(&public_key(&self.control).await.unwrap(), &gateway.id, 0).unwrap()
    }
}

/// What the gateway of this bundle runs on.
fn loaded(bundle: &Bundle) -> File {
    let resolve = |reference: &Reference| match reference {
        Reference::Environment(name) => {
            let secret = open_for(&[9; 32], &bundle.gateway, name, bundle.secrets.get(name).ok_or("none")?);
            Ok(secret.ok_or("not sealed for this gateway")?.expose().to_owned())
        }
        Reference::File(path) => bundle.files.get(path).cloned().ok_or_else(|| "none".to_owned()),
        Reference::Fingerprints(_) => Err("none".to_owned()),
    };
    let reading = Reading {
        origin: "bundle",
        resolve: &resolve,
        known_checkers: &Checker::BUILT_IN,
        read_rules: &custom_checkers,
    };
    let (file, _) = reading.read(&bundle.text).map_err(|it| it.to_string()).unwrap();
    Snapshot::compile(&file, [3; 32]).unwrap();
    file
}

#[tokio::test]
async fn a_gateway_loads_what_it_is_given() {
    let world = world().await;
    world.furnish().await;
    let bundle = world.opened(&world.gateway("edge-1", "default")).await;
    assert_eq!(bundle.generation, 1);
    assert!(bundle.text.starts_with(POLICY), "the author's lines stand first:\n{}", bundle.text);
    assert!(!bundle.text.contains("made-up") && !bundle.text.contains("people"), "{}", bundle.text);
    let file = loaded(&bundle);
    let upstream = &file.upstreams[0];
    assert_eq!(upstream.api_key.as_ref().unwrap().expose(), "made-up-one");
    assert_eq!(upstream.more_api_keys[0].expose(), "made-up-two");
    assert_eq!(file.upstreams[1].api_key.as_ref().unwrap().expose(), "made-up-three");
    let red = file.teams.iter().find(|it| it.name == "red").unwrap();
    assert_eq!((red.api_keys.len(), red.api_keys[0].until()), (1, None));
    let blue = file.teams.iter().find(|it| it.name == "blue").unwrap();
    let end = (world.control.shelf.now_ms() + DAY_MS) / 1000;
    assert_eq!(blue.api_keys[0].until().map(Moment::seconds), Some(end), "each gateway ends it by itself");
    assert_eq!(red.model_allowlist.as_deref().unwrap(), ["${HOME} $5 claude-*"], "read from nowhere");
    assert_eq!((file.policies.len(), file.exceptions.len(), file.rules.files.len()), (1, 1, 1));
    assert_eq!(bundle.owners.get(&digest("gw-red-made-up-key")[..8]).unwrap(), "user-of-red");
    // Sealed for one gateway and one name.
    let (name, sealed) = bundle.secrets.iter().next().unwrap();
    assert!(open_for(&[9; 32], "edge-2", name, sealed).is_none());
    assert!(open_for(&[9; 32], "edge-1", "PROVIDER_KEY_OTHER", sealed).is_none());
}

#[tokio::test]
async fn the_number_grows_with_the_content_and_with_nothing_else() {
    let world = world().await;
    world.furnish().await;
    let gateway = world.gateway("edge-1", "default");
    let (tag, _) = changed(&world.control, &gateway, None).await.unwrap().unwrap();
    world.later(2000);
    assert!(changed(&world.control, &gateway, Some(&tag)).await.unwrap().is_none());
    // Another server on the same store says the same.
    let second = control_at(&world.target, world.clock.clone()).await;
    assert!(changed(&second, &gateway, Some(&tag)).await.unwrap().is_none());
    // A key that ends changes the content by itself.
    world.later(DAY_MS);
    let (later, signed) = changed(&second, &gateway, Some(&tag)).await.unwrap().unwrap();
    let bundle = signed.verify(&public_key(&world.control).await.unwrap(), "edge-1", 2).unwrap();
    assert_eq!(bundle.generation, 2);
    assert!(loaded(&bundle).teams.iter().any(|it| it.name == "blue" && it.api_keys.is_empty()));
    assert!(changed(&world.control, &gateway, Some(&later)).await.unwrap().is_none());
    // Both look at the same change at the same moment: one number, on both.
    world.key("red", "gw-red-made-up-key-2", None).await;
    world.later(2000);
    let both = tokio::join!(state(&world.control, "default"), state(&second, "default"));
    assert_eq!((both.0.unwrap().generation, both.1.unwrap().generation), (3, 3));
}

#[tokio::test]
async fn without_teams_nobody_is_let_in_and_without_providers_there_is_no_bundle() {
    let world = world().await;
    let gateway = world.gateway("edge-1", "remote");
    let problem = changed(&world.control, &gateway, None).await.unwrap_err();
    assert!(problem.mistakes[0].contains("no upstream"), "{problem:?}");
    world.provider("anthropic", "anthropic", &["made-up-one"]).await;
    world.later(2000);
    let file = loaded(&world.opened(&gateway).await);
    assert_eq!(file.teams.iter().map(|it| it.api_keys.len()).collect::<Vec<_>>(), [0]);
    // A group without a policy of its own runs on that of the default group.
    world.publish(&Subject::Group("default".into()), "redact_secrets: true\n").await;
    world.later(2000);
    assert!(loaded(&world.opened(&gateway).await).redact_secrets);
    world.publish(&Subject::Group("remote".into()), "redact_secrets: false\n").await;
    world.later(2000);
    assert!(!loaded(&world.opened(&gateway).await).redact_secrets);
}

#[tokio::test]
async fn what_does_not_load_changes_nothing_but_what_was_taken_back() {
    let world = world().await;
    world.furnish().await;
    let gateway = world.gateway("edge-1", "default");
    assert_eq!(world.opened(&gateway).await.generation, 1);
    // Past all checks: the rules that the policy names are gone.
    world.publish(&Subject::Rules, "").await;
    world.key("red", "gw-red-made-up-key-2", None).await;
    world.later(2000);
    let bundle = world.opened(&gateway).await;
    assert_eq!(bundle.generation, 1, "the last good one stays");
    let refused = state(&world.control, "default").await.unwrap().refused.clone().unwrap();
    assert!(refused.mistakes.iter().any(|it| it.starts_with("policy:2:") && it.contains("house")), "{refused:?}");
    // A key that ends sooner ends sooner, and is there until then.
    let mut key = world.control.shelf.need::<Key>("id-gw-blue-made-up-key").await.unwrap();
    let end = world.control.shelf.now_ms() + 60_000;
    key.value.expires_ms = Some(end);
    world.control.shelf.update(&key).await.unwrap();
    world.later(2000);
    let bundle = world.opened(&gateway).await;
    let file = loaded(&bundle);
    let blue = file.teams.iter().find(|it| it.name == "blue").unwrap();
    assert_eq!(blue.api_keys[0].until().map(Moment::seconds), Some(end / 1000));
    // A key that is taken back is taken back.
    let mut key = world.control.shelf.need::<Key>("id-gw-red-made-up-key").await.unwrap();
    key.value.revoked_ms = Some(1);
    world.control.shelf.update(&key).await.unwrap();
    world.later(2000);
    let bundle = world.opened(&gateway).await;
    assert_eq!(bundle.generation, 3);
    assert!(loaded(&bundle).teams.iter().all(|it| it.name != "red" || it.api_keys.is_empty()));
    assert!(!bundle.owners.contains_key(&digest("gw-red-made-up-key")[..8]));
    // And once it loads again, it is in force.
    world.publish(&Subject::Rules, HOUSE).await;
    world.later(2000);
    let bundle = world.opened(&gateway).await;
    assert_eq!((bundle.generation, loaded(&bundle).rules.files.len()), (4, 1));
    assert!(state(&world.control, "default").await.unwrap().refused.is_none());
}

#[tokio::test]
async fn rules_of_a_team_run_for_it_alone() {
    let world = world().await;
    world.furnish().await;
    let own = HOUSE.replace("house.badges", "redhouse.badges");
    world.publish(&Subject::TeamRules("red".into()), &own).await;
    let gateway = world.gateway("edge-1", "default");
    let file = loaded(&world.opened(&gateway).await);
    let names = |it: &Option<Vec<Checker>>| it.iter().flatten().map(|it| it.name().to_owned()).collect::<Vec<_>>();
    let team = |name: &str| file.teams.iter().find(|it| it.name == name).unwrap();
    assert_eq!(names(&team("red").outbound_checks), ["secrets", "house", "redhouse"]);
    assert_eq!(names(&team("red").inbound_checks), ["vuln", "agent", "redhouse"]);
    assert_eq!(team("blue").outbound_checks, None);
    for (rules, policy, says) in [
        (HOUSE.replace("house.badges", "secrets.badges"), POLICY.to_owned(), "the checker `secrets`"),
        (HOUSE.replace("house.badges.", "house.doors."), POLICY.to_owned(), "the checker `house`"),
        (own, POLICY.replace("[secrets, house]", "[secrets, house, redhouse]"), "runs for that team alone"),
    ] {
        world.publish(&Subject::TeamRules("red".into()), &rules).await;
        world.publish(&Subject::Group("default".into()), &policy).await;
        world.later(2000);
        let refused = state(&world.control, "default").await.unwrap().refused.clone().unwrap();
        assert!(refused.mistakes.iter().any(|it| it.contains(says)), "{refused:?}");
    }
}
