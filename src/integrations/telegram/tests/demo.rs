use super::super::twin::{Twin, TwinLimits};
use super::world::{World, message, serve};
use std::time::Instant;

#[tokio::test(flavor = "multi_thread")]
#[ignore]
async fn demo() {
    let mut world = World::new(TwinLimits::NONE).await;
    let mut tasks = tokio::task::JoinSet::new();
    let root = serve(&mut tasks, world.twin.routes()).await;
    eprintln!("ROOT {root}");
    let _w = if std::env::var("NOBOT").is_err() {
        let w = world.webhook().await;
        world.deliver(world.twin.clone());
        Some(w)
    } else {
        None
    };
    std::fs::write("/tmp/tgdemo/root", root.as_str()).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore]
async fn load() {
    let world = World::new(if std::env::var("LIMITS").is_ok() {
        TwinLimits {
            overall: Some(super::super::twin::Rate::per_second(1_000_000)),
            per_chat: Some(super::super::twin::Rate::per_second(1_000_000)),
        }
    } else {
        TwinLimits::NONE
    })
    .await;
    let chats: Vec<i64> = (1..=200).collect();
    let client = world.client_known_to(&chats).await;
    let n = 5000;
    for conc in [1usize, 16, 64] {
        let t = Instant::now();
        use futures_util::StreamExt;
        futures_util::stream::iter(0..n)
            .map(|i| {
                let c = client.clone();
                async move {
                    c.send_message(&message(1 + i % 200, "hello")).await.unwrap();
                }
            })
            .buffer_unordered(conc)
            .collect::<Vec<_>>()
            .await;
        eprintln!("send conc {conc}: {:.0}/s", n as f64 / t.elapsed().as_secs_f64());
    }
    let mut world = world;
    let webhook = world.webhook().await;
    let t = Instant::now();
    {
        use futures_util::StreamExt;
        let w = &world;
        futures_util::stream::iter(0..n)
            .map(|i| async move {
                w.say(1 + i % 200, "x").await;
            })
            .buffer_unordered(32)
            .collect::<Vec<_>>()
            .await;
    }
    eprintln!("say: {:.0}/s", n as f64 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    world.deliver(world.twin.clone());
    while webhook.received().len() < (n + 200) as usize {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    eprintln!("deliver backlog: {:.0}/s", (n + 200) as f64 / t.elapsed().as_secs_f64());
    let _ = Twin::new(world.pool.clone(), TwinLimits::NONE);
}
